using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Puts batched transformers in the places of those that ML.NET runs row by row: saved networks, saved <c>ScoreOnnx</c> transformers, and
/// other people's ONNX models. Chains are walked through; everything else stays as it is.
/// </summary>
internal sealed class BatchedRebuild(ModelOperationsCatalog catalog, BatchedScoringOptions options)
{
    private static readonly TransformerScope[] Scopes = [TransformerScope.Training, TransformerScope.Testing, TransformerScope.Scoring];

    /// <summary>A transformer that adds the same columns in batches; the same one where nothing in it can be.</summary>
    public ITransformer Rebuild(ITransformer model) => model switch
    {
        OnnxTransformer onnx => RebuildOnnx(onnx, [onnx], 0).Part,
        IEnumerable<ITransformer> chain => RebuildChain(model, [.. chain]),
        _ => model,
    };

    private ITransformer RebuildChain(ITransformer chain, ITransformer[] parts)
    {
        var scopes = ScopesOf(chain, parts);
        List<ITransformer> rebuilt = [];
        List<TransformerScope> rebuiltScopes = [];
        for (var i = 0; i < parts.Length;)
        {
            var (part, before, length) = parts[i] is OnnxTransformer onnx ? RebuildOnnx(onnx, parts, i) : (Rebuild(parts[i]), 0, 1);
            rebuilt.RemoveRange(rebuilt.Count - before, before);
            rebuiltScopes.RemoveRange(rebuilt.Count, before);
            rebuilt.Add(part);
            rebuiltScopes.Add(scopes[i]);
            i += length;
        }

        if (rebuilt.SequenceEqual(parts)) return chain;
        return rebuilt is [var only] && rebuiltScopes[0] == TransformerScope.Everything ? only : new TransformerChain<ITransformer>(rebuilt, rebuiltScopes);
    }

    // A group of ours is the model and the steps around it; a model of somebody else's stands for itself.
    private (ITransformer Part, int Before, int Length) RebuildOnnx(OnnxTransformer onnx, ITransformer[] parts, int index)
    {
        var stock = StockOnnxModel.Read(catalog, onnx);
        if (NetworkSteps(stock, parts, index) is { } steps) return (RebuildNetwork(stock, parts[index..(index + steps)]), 0, steps);
        if (stock.Metadata(ModelMetadata.ScoreOnnx) is { } json && SavedScoreOnnx.FromJson(json) is var saved && saved.Before <= index && index + saved.After < parts.Length)
            return (saved.Rebuild(stock.Model, options), saved.Before, saved.After + 1);
        return ((ITransformer?)RebuildStock(onnx, stock) ?? onnx, 0, 1);
    }

    // The model, the mapping of its task, and what follows up to the removal of the model's own outputs.
    private static int? NetworkSteps(StockOnnxModel stock, ITransformer[] parts, int index)
    {
        if (index + 1 == parts.Length) return null;
        var isNetwork = (TaskNames.Find(stock.Metadata(ModelMetadata.Task)), parts[index + 1]) switch
        {
            (TaskKind.Binary, CustomMappingTransformer<BinaryNetworkOutput, BinaryPrediction>) => true,
            (TaskKind.Multiclass, CustomMappingTransformer<MulticlassNetworkOutput, MulticlassPredictedClass>) => true,
            (TaskKind.Regression, CustomMappingTransformer<RegressionNetworkOutput, RegressionPrediction>) => true,
            _ => false,
        };
        var last = Array.FindIndex(parts, index, part => part is ColumnSelectingTransformer);
        return isNetwork && last > 0 ? last - index + 1 : null;
    }

    private LoadedNetworkTransformer RebuildNetwork(StockOnnxModel stock, ITransformer[] group)
    {
        var input = stock.Model.Graph.Input[0];
        // The network's own input has another name again, from here on.
        var column = input.Name;
        var task = TaskNames.Find(stock.Metadata(ModelMetadata.Task)) switch
        {
            TaskKind.Binary => NetworkTask.Binary,
            TaskKind.Regression => NetworkTask.Regression,
            _ => NetworkTask.Multiclass(Labels()),
        };
        var model = SavedForms.Restore(stock.Model, task.Kind, task.Classes.Count);
        var scorer = Scorer.Load(model, new ScorerSettings(options) { Outputs = task.Outputs });
        return new LoadedNetworkTransformer(task, scorer, model, column, options.BatchSize);

        // The keys of the classes are with ML.NET's transformers behind the model.
        ClassLabels Labels()
        {
            var features = new DataViewSchema.Builder();
            var count = input.Type.TensorType.Shape.Dim.Skip(1).Aggregate(1L, (product, size) => product * size.DimValue);
            features.AddColumn(column, new VectorDataViewType(NumberDataViewType.Single, (int)count));
            return ClassLabels.Read(new TransformerChain<ITransformer>(group).GetOutputSchema(features.ToSchema())[MulticlassColumns.PredictedLabel]);
        }
    }

    private BatchedOnnxTransformer? RebuildStock(OnnxTransformer onnx, StockOnnxModel stock)
    {
        if (stock.Columns(onnx) is not { } columns) return null;

        // ML.NET leaves out an ending of its own.
        var outputs = columns.Outputs
            .Select(column => stock.Model.Graph.Output.FirstOrDefault(output => output.Name == column.Name || output.Name.Replace(".output", string.Empty, StringComparison.Ordinal) == column.Name)?.Name)
            .ToArray();
        if (outputs.Any(output => output is null) || columns.Inputs.Length != stock.Model.Graph.Input.Count) return null;
        RowModel? model = null;
        try
        {
            model = RowModel.Load(stock.Model, new RowModelSettings { Run = options, Outputs = outputs! });
            if (model.FixedRows is null or 1 && columns.Outputs.Zip(model.Outputs).All(pair => Fits(pair.First.Type, pair.Second)))
                return new BatchedOnnxTransformer(model, () => stock.Model, columns.Outputs, options.BatchSize);
        }
        catch (InvalidModelException)
        {
            // Not a model of rows: ML.NET goes on running it.
        }

        model?.Dispose();
        return null;
    }

    private static bool Fits(DataViewType type, RowTensor output) =>
        type is VectorDataViewType vector && vector.Size == output.Count && vector.ItemType.RawType == TensorTypes.RawTypeOf(output.Type);

    // A chain does not show the scopes of its parts, but it tells which remain for each.
    private static TransformerScope[] ScopesOf(ITransformer chain, ITransformer[] parts)
    {
        if (chain.GetType().GetMethod(nameof(TransformerChain<ITransformer>.GetModelFor)) is not { } modelFor)
            return [.. parts.Select(_ => TransformerScope.Everything)];
        var scopes = new TransformerScope[parts.Length];
        foreach (var scope in Scopes)
        {
            var remaining = ((IEnumerable<ITransformer>)modelFor.Invoke(chain, [scope])!).ToHashSet(ReferenceEqualityComparer.Instance);
            for (var i = 0; i < parts.Length; i++)
                if (remaining.Contains(parts[i])) scopes[i] |= scope;
        }

        return scopes;
    }
}

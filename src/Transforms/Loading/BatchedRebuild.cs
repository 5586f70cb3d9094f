using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Transforms.AnyModel;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Transforms.Loading;

/// <summary>
/// Puts batched transformers in the places of those that ML.NET runs row by row: saved networks, saved <c>ApplyOnnxModelBatched</c>
/// transformers, and other people's ONNX models. Chains are walked through; everything else stays as it is.
/// </summary>
internal sealed class BatchedRebuild
{
    private readonly ModelOperationsCatalog _catalog;
    private readonly BatchedScoringOptions _options;
    private readonly Device _device;

    public BatchedRebuild(ModelOperationsCatalog catalog, BatchedScoringOptions options)
    {
        _catalog = catalog;
        _options = options;
        _device = options.Device ?? MlNetInternals.GpuOf(MlNetInternals.EnvironmentOf(catalog)) ?? Device.Cpu;
    }

    /// <summary>A chain that adds the same columns in batches.</summary>
    public TransformerChain<ITransformer> ToChain(ITransformer model)
    {
        var rebuilt = Rebuild(model);
        if (rebuilt is TransformerChain<ITransformer> chain) return chain;
        if (rebuilt.GetType() is not { IsGenericType: true } type || type.GetGenericTypeDefinition() != typeof(TransformerChain<>))
            return new TransformerChain<ITransformer>(rebuilt);
        ITransformer[] parts = [.. (IEnumerable<ITransformer>)rebuilt];
        return new TransformerChain<ITransformer>(parts, MlNetInternals.ScopesOf(rebuilt, parts));
    }

    /// <summary>A transformer that adds the same columns in batches; the same one where nothing in it can be.</summary>
    public ITransformer Rebuild(ITransformer model) => model switch
    {
        OnnxTransformer onnx => RebuildOnnx(onnx, [onnx], 0).Part,
        IEnumerable<ITransformer> chain => RebuildChain(model, [.. chain]),
        _ => model,
    };

    private ITransformer RebuildChain(ITransformer chain, ITransformer[] parts)
    {
        var scopes = MlNetInternals.ScopesOf(chain, parts);
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
        return rebuilt is [var only] && rebuiltScopes[0] == TransformerScope.Everything
            ? only
            : new TransformerChain<ITransformer>(rebuilt, rebuiltScopes);
    }

    // A group of ours is the model and the steps around it; a model of somebody else's stands for itself.
    private (ITransformer Part, int Before, int Length) RebuildOnnx(OnnxTransformer onnx, ITransformer[] parts, int index)
    {
        var stock = StockOnnxModel.Read(_catalog, onnx);
        if (NetworkSteps(stock, parts, index) is { } network)
            return (RebuildNetwork(network.Task, stock, parts[index..(index + network.Steps)]), 0, network.Steps);
        if (stock.Metadata(ModelMetadata.ScoreOnnx) is { } json
            && SavedScoreOnnx.FromJson(json) is var saved && saved.Before <= index && index + saved.After < parts.Length)
            return (saved.Rebuild(stock.Model, _options, _device), saved.Before, saved.After + 1);
        return ((ITransformer?)RebuildStock(onnx, stock) ?? onnx, 0, 1);
    }

    // The model, the mapping of its task, and what follows up to the removal of the model's own outputs.
    private static (NetworkTask Task, int Steps)? NetworkSteps(StockOnnxModel stock, ITransformer[] parts, int index)
    {
        if (index + 1 == parts.Length || NetworkTask.Of(stock.Model) is not { } task || !task.IsMapping(parts[index + 1])) return null;
        var last = Array.FindIndex(parts, index, part => part is ColumnSelectingTransformer);
        return last > 0 ? (task, last - index + 1) : null;
    }

    private BatchNormTransformer RebuildNetwork(NetworkTask task, StockOnnxModel stock, ITransformer[] group)
    {
        // The network's own input has another name again, from here on.
        var input = stock.Model.Graph.Input[0];
        var column = input.Name;
        var features = new DataViewSchema.Builder();
        var count = input.Type.TensorType.Shape.Dim.Skip(1).Aggregate(1L, (product, size) => product * size.DimValue);
        features.AddColumn(column, new VectorDataViewType(NumberDataViewType.Single, (int)count));

        // The keys of the classes are with ML.NET's transformers behind the model.
        var classes = task.SavedClasses(new TransformerChain<ITransformer>(group).GetOutputSchema(features.ToSchema()));
        task.Restore(stock.Model.Graph, classes, new Dictionary<string, string> { [column] = TrainedNetwork.FeaturesInput });
        return task.CreateTransformer(new NetworkParts(new OnnxModel(stock.Model), column, classes, _device)
        {
            Threads = _options.Threads,
            BatchSize = _options.BatchSize,
            Environment = MlNetInternals.EnvironmentOf(_catalog),
        });
    }

    private BatchedOnnxTransformer? RebuildStock(OnnxTransformer onnx, StockOnnxModel stock)
    {
        if (stock.Columns(onnx) is not { } columns) return null;
        string?[] outputs = [.. columns.Outputs.Select(column => stock.OutputOf(column.Name))];
        if (outputs.Contains(null) || columns.Inputs.Length != stock.Model.Graph.Input.Count) return null;
        RowModel? model = null;
        try
        {
            model = RowModel.Load(stock.Model, new RowModelSettings { Run = _options.ToRun(_device), Outputs = outputs! });
            if (model.FixedRows is null or 1 && columns.Outputs.Zip(model.Outputs).All(pair => Fits(pair.First.Type, pair.Second)))
                return new BatchedOnnxTransformer(model, () => stock.Model, columns.Outputs, _options.BatchSize);
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
}

using System.Text.Json;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;

namespace MlNetBatchNorm.Transforms.AnyModel;

/// <summary>
/// How any model is saved, and built again: what ML.NET needs around the model to make the same columns is added to its graph, and what was
/// there before is written down in its metadata.
/// </summary>
/// <param name="Inputs">The column for each input of the model.</param>
/// <param name="Outputs">The model's own outputs, in order.</param>
/// <param name="Columns">The columns that are made of them.</param>
/// <param name="Scalars">Whether each column is a scalar.</param>
/// <param name="Added">The values that were added to the graph.</param>
/// <param name="Before">The number of transformers in front of the model.</param>
/// <param name="After">The number of transformers behind it.</param>
/// <param name="RowByRow">See <see cref="BatchedOnnxOptions.RowByRow"/>.</param>
/// <param name="Shapes">
/// What one row of each input and output has, where sizes were given; null = the model says so itself.
/// </param>
internal sealed record SavedScoreOnnx(
    Dictionary<string, string> Inputs,
    string[] Outputs,
    string[] Columns,
    bool[] Scalars,
    string[] Added,
    int Before,
    int After,
    bool RowByRow,
    Dictionary<string, long[]>? Shapes = null)
{
    private const int OldestOpset = 7;

    public static SavedScoreOnnx FromJson(string json) =>
        JsonSerializer.Deserialize<SavedScoreOnnx>(json) ?? throw new InvalidModelException(
            "The columns of the saved model are not written down in it.");

    public static SavedForm Create(RowModel rows, ModelProto read, OnnxColumns columns, BatchedOnnxOptions options)
    {
        if (rows.FixedRows > 1)
            throw new InvalidOperationException(
                $"The model always takes {rows.FixedRows} rows at once, but ML.NET runs what it loads row by row, so it cannot be saved in "
                + "a pipeline. Export the model with a free first dimension.");
        if (columns.Inputs.Select(input => input.Name).Intersect(columns.Added.Select(column => column.Name)).FirstOrDefault() is { } both)
            throw new InvalidOperationException(
                $"The model reads and replaces the column '{both}', which ML.NET cannot save. Give the output another name.");
        var (model, ml) = (read.Clone(), new MLContext());
        var graph = model.Graph;

        // ML.NET gives a scalar to a model as [1, 1], whatever the model wants; a vector of one value gets the model's own shape.
        InputColumn[] single = [.. columns.Inputs.Where(input => input.Tensor.Count == 1)];
        var names = columns.Inputs.ToDictionary(input => input.Tensor.Name, input => single.Contains(input) ? Vector(input) : input.Name);
        string[] outputs = [.. columns.Added.Select(column => $"{column.Name}/rows")];
        for (var i = 0; i < outputs.Length; i++) names[rows.Outputs[i].Name] = outputs[i];
        ValueNames.Rename(graph, names);

        // Outputs that nobody asked for may be of kinds that ML.NET refuses.
        ValueInfoProto[] kept = [.. outputs.Select(name => graph.Output.First(output => output.Name == name))];
        graph.Output.Clear();
        graph.Output.AddRange(kept);
        if (model.OpsetImport.FirstOrDefault(set => set.Domain is "" or "ai.onnx") is not { } standard)
            model.OpsetImport.Add(new OperatorSetIdProto { Version = GraphBuilder.DefaultOpset });
        else if (standard.Version < OldestOpset)
            throw new InvalidOperationException(
                $"A model of opset {standard.Version} cannot be saved in a pipeline; convert it to {OldestOpset} or later.");

        List<string> added = [], results = [], temporary = [.. single.Select(Vector)];
        List<IEstimator<ITransformer>> steps = [];
        for (var i = 0; i < outputs.Length; i++)
        {
            var (column, tensor) = (columns.Added[i], rows.Outputs[i]);
            var isScalar = column.Type is not VectorDataViewType;

            // ML.NET takes one row's shape for the column's, and cuts its own ending off a name. Behind a column that needs steps the
            // others need one, too, or they would come before it.
            var isDirect = !isScalar && steps.Count == 0 && !column.Name.Contains(".output", StringComparison.Ordinal);
            var result = isDirect ? column.Name : FormattableString.Invariant($"ScoreOnnxResult{i}");
            var size = $"{column.Name}/shape";
            long[] shape = tensor.Shape.Count == 0 ? [1] : [.. tensor.Shape];
            SavedGraph.AddIntegers(graph, size, shape);
            SavedGraph.AddNode(graph, "Reshape", [outputs[i], size], result);
            SavedGraph.AddOutput(graph, result, tensor.Type, [.. shape.Select(dimension => (TensorDimension)dimension)]);
            added.AddRange([size, result]);
            results.Add(result);
            if (isDirect) continue;
            temporary.Add(result);
            if (isScalar) steps.AddRange(OnnxScalar.Steps(ml, tensor.Type, result, column.Name));
            else steps.Add(ml.Transforms.CopyColumns(column.Name, result));
        }

        if (columns.Added.Any(column => column.Type is not VectorDataViewType))
            temporary.AddRange([OnnxScalar.SourceColumn, OnnxScalar.ResultColumn]);
        if (temporary.Count > 0) steps.Add(ml.Transforms.DropColumns([.. temporary]));
        var saved = new SavedScoreOnnx(
            columns.Inputs.ToDictionary(input => names[input.Tensor.Name], input => input.Name),
            outputs,
            [.. columns.Added.Select(column => column.Name)],
            [.. columns.Added.Select(column => column.Type is not VectorDataViewType)],
            [.. added],
            single.Length,
            steps.Count,
            options.RowByRow,
            options.Shapes is null
                ? null
                : rows.Inputs.Concat(rows.Outputs).ToDictionary(tensor => names[tensor.Name], tensor => tensor.Shape.ToArray()));
        ModelFile.SetMetadata(model, ModelMetadata.ScoreOnnx, JsonSerializer.Serialize(saved));
        ModelFile.SetMetadata(model, ModelMetadata.Format, FormattableString.Invariant($"{ModelMetadata.CurrentFormat}"));
        return new SavedForm(model)
        {
            Before = [.. single.Select(input => ml.Transforms.Concatenate(Vector(input), input.Name))],
            Outputs = results,
            Shapes = options.Shapes is null
                ? []
                : rows.Inputs.ToDictionary(input => names[input.Name], input => OneRow(input.Shape, options.RowByRow)),
            After = steps,
        };

        static string Vector(InputColumn input) => $"{input.Name}/vector";

        static int[] OneRow(IEnumerable<long> row, bool isWhole) =>
            [.. row.Prepend(1).Skip(isWhole ? 1 : 0).Select(size => checked((int)size))];
    }

    /// <summary>The transformer that was saved.</summary>
    /// <param name="saved">The model, which is changed back.</param>
    /// <param name="options">Threads and batches.</param>
    /// <param name="device">The device.</param>
    public BatchedOnnxTransformer Rebuild(ModelProto saved, BatchedScoringOptions options, Device device)
    {
        SavedGraph.Remove(saved.Graph, Added);
        if (saved.MetadataProps.FirstOrDefault(entry => entry.Key == ModelMetadata.ScoreOnnx) is { } entry)
            saved.MetadataProps.Remove(entry);
        var shapes = Shapes?.ToDictionary(entry => entry.Key, entry => (IReadOnlyList<long>)entry.Value);
        var rebuilt = new BatchedOnnxOptions
        {
            Shapes = shapes,
            Inputs = Inputs,
            Outputs = Outputs.Zip(Columns).ToDictionary(pair => pair.First, pair => pair.Second),
            RowByRow = RowByRow,
            Device = device,
            Threads = options.Threads,
            BatchSize = options.BatchSize,
        };
        var model = RowModel.Load(
            saved, new RowModelSettings { Outputs = Outputs, Shapes = shapes, RowByRow = RowByRow, Run = options.ToRun(device) });
        var types = Scalars.Select((isScalar, index) => (Columns[index], OnnxColumns.TypeOf(model.Outputs[index], isScalar)));
        return new BatchedOnnxTransformer(model, () => saved, OnnxColumns.Create(model, Inputs, types), rebuilt);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>A pipeline as one graph, before its normalizers are folded.</summary>
/// <param name="Model">The graph.</param>
/// <param name="BatchNormsFolded">How many batch normalizations its networks have lost already.</param>
/// <param name="StockScopes">What the names of nodes from ML.NET's converter start with.</param>
internal sealed record JoinedPipeline(ModelProto Model, int BatchNormsFolded, IReadOnlyList<string> StockScopes);

/// <summary>Joins the steps of a pipeline into one graph. A column is the value that the last step before gave it.</summary>
internal sealed class PipelineJoiner
{
    /// <summary>What the name of an output ends with where a column of the same name is read.</summary>
    public const string OutputEnding = ".output";

    private readonly DataViewSchema _data;
    private readonly GraphBuilder _nodes;
    private readonly Dictionary<string, Value> _columns = new(StringComparer.Ordinal);
    private readonly HashSet<string> _inputs = new(StringComparer.Ordinal);
    private readonly List<string> _stockScopes = [];
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private int _batchNorms;

    private PipelineJoiner(DataViewSchema data, int opset) => (_data, _nodes) = (data, new GraphBuilder("pipeline", opset));

    /// <summary>Joins steps.</summary>
    /// <param name="steps">The steps that the outputs depend on.</param>
    /// <param name="data">The schema in front of the first.</param>
    /// <param name="outputs">The columns to give, of the schema behind the last.</param>
    /// <param name="opset">The operator set of the graph.</param>
    /// <exception cref="NotSupportedException">A step or a column cannot be exported.</exception>
    public static JoinedPipeline Join(
        IReadOnlyList<PipelineStep> steps, DataViewSchema data, IReadOnlyList<DataViewSchema.Column> outputs, int opset)
    {
        var joiner = new PipelineJoiner(data, opset);
        joiner.AddAll(steps);
        foreach (var column in outputs) joiner.Give(column);
        var model = joiner._nodes.Build();
        ModelEditor.Prune(model);
        foreach (var (key, value) in joiner._metadata) ModelFile.SetMetadata(model, key, value);
        return new JoinedPipeline(model, joiner._batchNorms, joiner._stockScopes);
    }

    /// <summary>
    /// Converts steps that a network will stand behind, and throws the result away: for the errors, before the network is trained.
    /// </summary>
    /// <param name="steps">The steps.</param>
    /// <param name="data">The schema in front of the first.</param>
    /// <exception cref="NotSupportedException">A step or a column cannot be exported.</exception>
    public static void RequireConvertible(IReadOnlyList<PipelineStep> steps, DataViewSchema data) =>
        new PipelineJoiner(data, OperatorSetUpgrade.Newest).AddAll(steps);

    private void AddAll(IReadOnlyList<PipelineStep> steps)
    {
        for (var i = 0; i < steps.Count; i++)
            Add(steps[i], $"{i}-{steps[i].Name.Replace("Transformer", string.Empty, StringComparison.Ordinal)}");
    }

    private void Add(PipelineStep step, string name)
    {
        using var scope = _nodes.Scope(name);
        switch (step.Transformer)
        {
            case BatchNormTransformer network:
                AddNetwork(step, network);
                break;
            case ColumnCopyingTransformer:
                foreach (var column in step.Needed) _columns[column.Name] = Column(SourceOf(step, column));
                break;
            case ColumnConcatenatingTransformer when step.Needed.All(column => IsSame(column, step)):
                foreach (var column in step.Needed) _columns[column.Name] = Column(SourceOf(step, column));
                break;
            case KeyToValueMappingTransformer when step.Needed.All(column => KeyTable.Of(SourceOf(step, column)) is not null):
                // Not by the converter, which makes the text "_Unused" of a missing key.
                foreach (var column in step.Needed)
                {
                    var keys = SourceOf(step, column);
                    _columns[column.Name] = KeyTable.Of(keys)!.Emit(_nodes, Column(keys));
                }

                break;
            case NormalizingTransformer when step.Needed.All(column => Float64Normalizer.Of(step, column) is not null):
                // Not by the converter, which makes float32 of the numbers before their offset is off.
                foreach (var column in step.Needed)
                    _columns[column.Name] = Float64Normalizer.Of(step, column)!.Emit(_nodes, Column(SourceOf(step, column)));
                break;
            default:
                AddStock(step, name);
                break;
        }
    }

    private void AddNetwork(PipelineStep step, BatchNormTransformer network)
    {
        var model = Model(step, network);
        var input = model.Graph.Input[0];
        var features = Column(step.Sources[0]);
        long[] sizes = [.. input.Type.TensorType.Shape.Dim.Skip(1).Select(size => size.DimValue)];
        if (!sizes.SequenceEqual(ColumnTensor.SizesOf(step.Sources[0].Type)))
            features = _nodes.Node("Reshape", [features, _nodes.Integers([-1, .. sizes])]);
        var outputs = _nodes.Append(model, new Dictionary<string, Value> { [input.Name] = features });
        var columns = network.Task.EmitColumns(_nodes, outputs);
        foreach (var column in step.Needed) _columns[column.Name] = columns[column.Name];

        // A loaded network does not know any more how many it had.
        if (network.IsTrained) _batchNorms += network.Export.Folding.Removed;

        // What says how a tensor of features is laid out is of no use where columns are read.
        foreach (var entry in network.Proto.MetadataProps)
            if (entry.Key is not (ModelMetadata.FeatureMap or ModelMetadata.FeatureNames)) _metadata[entry.Key] = entry.Value;
    }

    // One that was just trained can be written for any operator set.
    private ModelProto Model(PipelineStep step, BatchNormTransformer network)
    {
        var opset = network.Proto.OpsetImport.First(import => import.Domain.Length == 0).Version;
        if (network.IsTrained && network.Export.Reduced is null && opset != _nodes.Opset)
            return BatchNormFolder.Fold(network.Model.ToOnnx(_nodes.Opset)).Model.Proto;
        try
        {
            return OperatorSetUpgrade.Upgrade(network.Proto, _nodes.Opset);
        }
        catch (InvalidModelException exception)
        {
            throw step.Unsupported($"holds a network that cannot be joined with others: {exception.Message}", exception);
        }
    }

    private void AddStock(PipelineStep step, string name)
    {
        var (model, outputs) = StockConverter.Convert(step);
        MachineLearningOperators.ReplaceByStandard(model);
        ModelProto upgraded;
        try
        {
            upgraded = OperatorSetUpgrade.Upgrade(model, _nodes.Opset);
        }
        catch (InvalidModelException exception)
        {
            throw step.Unsupported($"is converted to a graph that cannot be joined with others: {exception.Message}", exception);
        }

        var inputs = upgraded.Graph.Input.ToDictionary(
            input => input.Name, input => Column(step.Mapper.InputSchema[input.Name]), StringComparer.Ordinal);
        var values = _nodes.Append(upgraded, inputs);
        foreach (var (column, output) in outputs) _columns[column] = values[output];
        _stockScopes.Add($"{name}/");
    }

    private void Give(DataViewSchema.Column column)
    {
        var value = Column(column);
        var type = ColumnTensor.TypeOf(column.Type);
        if (KeyTable.Of(column) is { } keys)
        {
            using var scope = _nodes.Scope($"{column.Name}-values");
            value = keys.Emit(_nodes, value);
            type = keys.Type;
        }

        // A file needs two names for what is read and what is given; the second is then the one that ML.NET's converter always takes, and
        // its ApplyOnnxModel makes the column of the first one of it.
        var name = _inputs.Contains(column.Name) ? $"{column.Name}{OutputEnding}" : column.Name;
        _nodes.Output(name, value, type, ColumnTensor.ShapeOf(column.Type));
    }

    // A column that no step has made comes from the data.
    private Value Column(DataViewSchema.Column column)
    {
        if (ColumnTensor.WhyNot(column) is { } problem)
            throw new NotSupportedException($"The pipeline cannot be exported to ONNX: {problem}.");
        if (_columns.TryGetValue(column.Name, out var value)) return value;
        var raw = _data[column.Name];
        _inputs.Add(raw.Name);
        return _columns[raw.Name] = _nodes.Input(raw.Name, ColumnTensor.TypeOf(raw.Type), ColumnTensor.ShapeOf(raw.Type));
    }

    private static DataViewSchema.Column SourceOf(PipelineStep step, DataViewSchema.Column column) =>
        step.Mapper.GetDependencies([column]).Single();

    // One vector, or one scalar, alone: the names of its sources are known, but not the order or how often each is taken.
    private static bool IsSame(DataViewSchema.Column column, PipelineStep step)
    {
        DataViewSchema.Column[] sources = [.. step.Mapper.GetDependencies([column])];
        return sources is [var source] && ColumnTensor.TypeOf(source.Type) == ColumnTensor.TypeOf(column.Type)
            && ColumnTensor.SizesOf(source.Type).SequenceEqual(ColumnTensor.SizesOf(column.Type));
    }
}

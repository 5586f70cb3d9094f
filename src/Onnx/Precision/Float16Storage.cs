using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// float16 in the file only: each weight becomes a float16 constant and a Cast that makes the float32 value of the old name, so that nobody
/// who reads it notices. Runtimes compute the Casts once, when they load the model. A weight some of whose rows are too large or too small
/// for float16 (those of a feature in millions) is stored with a power of two for each row, which is multiplied back behind the Cast.
/// Vectors (biases, means, scales) stay float32: they are few, and they are where digits matter.
/// </summary>
internal sealed class Float16Storage : PrecisionScheme
{
    // Below, the new nodes take more room than the weight gives.
    private const int SmallestWeight = 64;

    // Before that, Cast names its type by a text, and Mul does not broadcast a column.
    public override long LeastOpset => 7;

    public override IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows)
    {
        var graph = editor.Main;
        var inputs = graph.Proto.Input.ToDictionary(input => input.Name, StringComparer.Ordinal);
        var outcomes = new List<PrecisionOutcome>();
        NodeProto? place = null;
        foreach (var tensor in graph.Proto.Initializer.Where(IsWeight).ToList())
        {
            if (WhyFixed(tensor.Name, inputs.GetValueOrDefault(tensor.Name), editor) is { } reason)
            {
                outcomes.Add(new PrecisionOutcome(tensor.Name, false, reason));
                continue;
            }

            var widening = new List<NodeProto>();
            if (Store(tensor, tensor.Name, editor, outcomes, widening) is not { } half) continue;
            graph.ReplaceConstant(tensor.Name, half);
            place = AddBehind(place, widening, graph);
        }

        foreach (var node in graph.Nodes.ToList())
        {
            if (!node.Is("Constant") || node.Attribute("value") is not { T: { } tensor } attribute || !IsWeight(tensor)) continue;
            var (value, widening) = (node.Output[0], new List<NodeProto>());
            if (Store(tensor, value, editor, outcomes, widening) is not { } half) continue;
            attribute.T = half;
            graph.SetOutput(node, 0, half.Name);
            AddBehind(node, widening, graph);
        }

        foreach (var tensor in editor.Graphs.Skip(1).SelectMany(inner => inner.Proto.Initializer).Where(IsWeight))
            outcomes.Add(new PrecisionOutcome(tensor.Name, false, "it stands in a subgraph"));
        return outcomes;
    }

    private static NodeProto? AddBehind(NodeProto? place, List<NodeProto> nodes, OnnxGraph graph)
    {
        foreach (var node in nodes)
        {
            graph.AddBehind(place, node);
            place = node;
        }

        return place;
    }

    private static bool IsWeight(TensorProto tensor) =>
        (DataType)tensor.DataType == DataType.Float && tensor.Dims.Count(size => size > 1) >= 2
            && TensorData.ElementCount(tensor.Dims, tensor.Name) >= SmallestWeight;

    private static string? WhyFixed(string name, ValueInfoProto? input, ModelEditor editor) =>
        editor.Trained.Contains(name) ? "the model's training part changes it"
        : input is not null && !editor.InitializersAreInputs ? "it is also a graph input, which callers may override"
        : null;

    // The constant to store, and the nodes that make the float32 value of it; null when it must stay as it is.
    private static TensorProto? Store(
        TensorProto tensor, string name, ModelEditor editor, List<PrecisionOutcome> outcomes, List<NodeProto> nodes)
    {
        if (RealTensor.From(tensor) is not { } weight)
        {
            outcomes.Add(new PrecisionOutcome(name, false, "it is too large to be looked at, or not in the file"));
            return null;
        }

        var reason = Float16Range.WhyNot(weight);
        var scaling = reason is null ? null : RowScaling.Find(weight);
        var detail = scaling is null ? reason ?? string.Empty : $"with a power of two for each entry of its axis {scaling.Axis}";
        outcomes.Add(new PrecisionOutcome(name, reason is null || scaling is not null, detail));
        if (reason is not null && scaling is null) return null;
        var half = Float16Range.Convert(scaling?.Scaled ?? weight, editor.Names.Fresh($"{name}_float16"));
        if (scaling is null)
        {
            nodes.Add(CastNode.Create(half.Name, name, DataType.Float, editor));
            return half;
        }

        var wide = editor.Names.Fresh($"{name}_scaled");
        nodes.Add(CastNode.Create(half.Name, wide, DataType.Float, editor));
        var factors = editor.Main.AddConstant($"{name}_scale", scaling.ToProto);
        nodes.Add(new NodeProto { OpType = "Mul", Name = editor.Names.Fresh($"{name}_mul"), Input = { wide, factors }, Output = { name } });
        return half;
    }
}

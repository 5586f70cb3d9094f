using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Computes the nodes of a <see cref="Float16Plan"/> in float16: their constants become float16 ones of their own, and Casts stand wherever a value
/// passes between them and the rest of the model, its inputs and outputs included.
/// </summary>
internal sealed class Float16Arithmetic : PrecisionScheme
{
    // Before that, Cast names its type by a text.
    public override long LeastOpset => 6;

    public override IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows)
    {
        var graph = editor.Graphs[0];
        var plan = new Float16Plan(graph, rows);
        var halves = new Dictionary<string, string>(StringComparer.Ordinal);
        var nodes = new List<NodeProto>();
        var gone = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in graph.Graph.Node)
        {
            if (plan.Of(node) is not { } form)
            {
                nodes.Add(node);
                continue;
            }

            foreach (var input in form.Inputs(node)) node.Input[input] = Half(node.Input[input]);
            var value = node.Output[0];
            node.Output[0] = halves[value] = editor.Fresh($"{value}_float16");
            nodes.Add(node);
            if (plan.IsReadAsFloat32(value)) nodes.Add(CastNode.Create(node.Output[0], value, DataType.Float, editor));
            else gone.Add(value);
        }

        graph.Graph.Node.Clear();
        graph.Graph.Node.AddRange(nodes);
        for (var i = graph.Graph.ValueInfo.Count - 1; i >= 0; i--)
            if (gone.Contains(graph.Graph.ValueInfo[i].Name)) graph.Graph.ValueInfo.RemoveAt(i);
        return plan.Outcomes;

        string Half(string value)
        {
            if (halves.TryGetValue(value, out var known)) return known;
            string half;
            if (graph.Constant(value).Tensor is { } constant)
            {
                half = graph.AddConstant($"{value}_float16", name => Float16Range.Convert(constant, name));
                editor.Abandon(value);
            }
            else
            {
                half = editor.Fresh($"{value}_float16");
                nodes.Add(CastNode.Create(value, half, DataType.Float16, editor));
            }

            return halves[value] = half;
        }
    }
}

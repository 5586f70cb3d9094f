using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Computes the nodes of a <see cref="Float16Plan"/> in float16: their constants become float16 ones of their own, and Casts stand wherever a value
/// passes between them and the rest of the model, its inputs and outputs included.
/// </summary>
/// <remarks>
/// Gemm becomes MatMul and Sum, and an Add behind a MatMul becomes a Sum. It is the same on a GPU, but ONNX Runtime 1.29 has one product in float16 on
/// x86 that it would rather take than compute in float32: that of Gemm, number by number (45 times as slow for 32 rows of 784 by 512), and it makes a
/// Gemm of MatMul and Add.
/// </remarks>
internal sealed class Float16Arithmetic : PrecisionScheme
{
    // Before that, Cast names its type by a text.
    public override long LeastOpset => 6;

    // Before that, the operands of Sum are all of one shape.
    private const long BroadcastingSum = 8;

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

            var followsProduct = node.Input.Any(input => graph.Producer(input) is { OpType: "MatMul" } product && plan.Of(product) is not null);
            foreach (var input in form.Inputs(node)) node.Input[input] = Half(node.Input[input]);
            var value = node.Output[0];
            node.Output[0] = halves[value] = editor.Fresh($"{value}_float16");
            nodes.AddRange(Rewrite(node, followsProduct, editor));
            if (plan.IsReadAsFloat32(value)) nodes.Add(CastNode.Create(halves[value], value, DataType.Float, editor));
            else gone.Add(value);
        }

        graph.Graph.Node.Clear();
        graph.Graph.Node.AddRange(nodes);
        for (var i = graph.Graph.ValueInfo.Count - 1; i >= 0; i--)
            if (gone.Contains(graph.Graph.ValueInfo[i].Name)) graph.Graph.ValueInfo.RemoveAt(i);
        var inner = editor.Graphs.Skip(1).SelectMany(other => other.Graph.Node).Where(node => Float16Operators.Of(node) is { IsHeavy: true });
        return [.. plan.Outcomes, .. inner.Select(node => new PrecisionOutcome(node.Label(), false, "it stands in a subgraph"))];

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

    // A node as ONNX Runtime runs it well on every device; see the remarks. The weight is turned round once, when the model is loaded.
    private static List<NodeProto> Rewrite(NodeProto node, bool followsProduct, ModelEditor editor)
    {
        if (editor.Opset < BroadcastingSum) return [node];
        if (node.OpType == "Add" && followsProduct) node.OpType = "Sum";
        if (node.OpType != "Gemm" || node.Integer("transA", 0) != 0 || node.Real("alpha", 1) != 1 || node.Real("beta", 1) != 1) return [node];
        var (nodes, weight, result) = (new List<NodeProto>(), node.Input[1], node.Output[0]);
        if (node.Integer("transB", 0) != 0) weight = Add("Transpose", editor.Fresh($"{weight}_transposed"), weight);
        if (node.InputAt(2).Length == 0)
        {
            Add("MatMul", result, node.Input[0], weight);
            return nodes;
        }

        var product = Add("MatMul", editor.Fresh($"{result}_product"), node.Input[0], weight);
        Add("Sum", result, product, node.Input[2]);
        return nodes;

        string Add(string opType, string output, params string[] inputs)
        {
            nodes.Add(new NodeProto { OpType = opType, Name = editor.Fresh($"{node.Label()}_{opType.ToLowerInvariant()}"), Input = { inputs }, Output = { output } });
            return output;
        }
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Computes the nodes of a <see cref="Float16Plan"/> in float16: their constants become float16 ones of their own, and Casts stand wherever
/// a value passes between them and the rest of the model, its inputs and outputs included.
/// </summary>
/// <remarks>
/// Gemm becomes MatMul and Sum, and an Add behind a MatMul becomes a Sum. It is the same on a GPU, but ONNX Runtime 1.29 has one product in
/// float16 on x86 that it would rather take than compute in float32: that of Gemm, number by number (45 times as slow for 32 rows of 784 by
/// 512), and it makes a Gemm of MatMul and Add.
/// </remarks>
internal sealed class Float16Arithmetic : PrecisionScheme
{
    // Before that, Cast names its type by a text.
    public override long LeastOpset => 6;

    // Before that, the operands of Sum are all of one shape.
    private const long BroadcastingSum = 8;

    public override IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows)
    {
        var graph = editor.Main;
        var plan = new Float16Plan(graph, rows);
        var halves = new Dictionary<string, string>(StringComparer.Ordinal);
        var products = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in graph.Nodes.ToList())
        {
            if (plan.Of(node) is not { } form) continue;
            var (value, followsProduct) = (node.Output[0], node.Input.Any(products.Contains));
            if (node.OpType == "MatMul") products.Add(value);
            foreach (var input in form.Inputs(node)) graph.SetInput(node, input, Half(node.Input[input], node));
            var isReadAsFloat32 = plan.IsReadAsFloat32(value);
            halves[value] = graph.Fresh($"{value}_float16");
            graph.SetOutput(node, 0, halves[value]);
            var last = Rewrite(node, followsProduct, graph);
            if (isReadAsFloat32) graph.AddBehind(last, CastNode.Create(halves[value], value, DataType.Float, editor));
        }

        var inner = editor.Graphs.Skip(1).SelectMany(other => other.Nodes).Where(node => Float16Operators.Of(node) is { IsHeavy: true });
        return [.. plan.Outcomes, .. inner.Select(node => new PrecisionOutcome(node.Label(), false, "it stands in a subgraph"))];

        string Half(string value, NodeProto reader)
        {
            if (halves.TryGetValue(value, out var known)) return known;
            if (graph.Constant(value).Tensor is { } constant)
                return halves[value] = graph.AddConstant($"{value}_float16", name => Float16Range.Convert(constant, name));
            halves[value] = graph.Fresh($"{value}_float16");
            graph.Add(CastNode.Create(value, halves[value], DataType.Float16, editor), before: reader);
            return halves[value];
        }
    }

    // A node as ONNX Runtime runs it well on every device (see the remarks): returns the last of what it becomes. The weight is turned
    // round once, when the model is loaded.
    private static NodeProto Rewrite(NodeProto node, bool followsProduct, OnnxGraph graph)
    {
        if (graph.Opset < BroadcastingSum) return node;
        if (node.OpType == "Add" && followsProduct) node.OpType = "Sum";
        if (node.OpType != "Gemm" || node.Integer("transA", 0) != 0 || node.Real("alpha", 1) != 1 || node.Real("beta", 1) != 1) return node;
        var (nodes, weight, result) = (new List<NodeProto>(), node.Input[1], node.Output[0]);
        if (node.Integer("transB", 0) != 0) weight = Add("Transpose", graph.Fresh($"{weight}_transposed"), weight);
        if (node.InputAt(2).Length == 0)
        {
            Add("MatMul", result, node.Input[0], weight);
        }
        else
        {
            var product = Add("MatMul", graph.Fresh($"{result}_product"), node.Input[0], weight);
            Add("Sum", result, product, node.Input[2]);
        }

        graph.Replace(node, nodes);
        return nodes[^1];

        string Add(string opType, string output, params string[] inputs)
        {
            var name = graph.Fresh($"{node.Label()}_{opType.ToLowerInvariant()}");
            nodes.Add(new NodeProto { OpType = opType, Name = name, Input = { inputs }, Output = { output } });
            return output;
        }
    }
}

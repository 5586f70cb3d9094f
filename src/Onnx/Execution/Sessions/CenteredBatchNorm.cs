using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>
/// Batch normalizations whose mean is far from zero, measured in standard deviations. ONNX Runtime's kernel computes x·a + (β − μ·a)
/// with a = γ / √(σ² + ε): two large numbers whose difference is small, off by 3·10⁻⁴ where μ/σ = 10⁴. Before such a model is run, the
/// mean is taken off by a node in front: x − μ is exact where it matters, and the kernel's own μ is 0.
/// </summary>
internal static class CenteredBatchNorm
{
    // Below it the kernel's error is less than 10⁻⁵ of the scale, as large as that of the layers around it.
    private const double FarFromZero = 100;

    /// <summary>The nodes of a model's main graph that are concerned.</summary>
    public static IReadOnlyList<NodeProto> In(ModelProto model)
    {
        if (!model.Graph.Node.Any(node => node.Is("BatchNormalization"))) return [];
        var graph = new ModelEditor(model).Main;
        return [.. graph.Nodes.Where(node => IsFar(graph, node))];
    }

    /// <summary>Changes a model; false where nothing was to be changed.</summary>
    /// <param name="model">The whole model.</param>
    /// <exception cref="InvalidModelException">A node is given operands that do not fit together.</exception>
    public static bool Apply(ModelProto model)
    {
        var editor = new ModelEditor(model);
        var graph = editor.Main;
        var changed = false;
        foreach (var node in graph.Nodes.Where(node => IsFar(graph, node)).ToList())
        {
            // The channels are axis 1, and shapes are aligned at their ends.
            if (graph.Shape(node.Input[0]) is not { Rank: >= 2 and var rank }) continue;
            var mean = graph.Constant(node.Input[3]).Tensor!;
            var centered = graph.Fresh($"{node.Label()}_centered");
            var subtraction = new NodeProto { OpType = "Sub", Name = centered, Input = { node.Input[0] }, Output = { centered } };
            graph.Add(subtraction, before: node);
            graph.SetConstant(subtraction, 1, mean.Reshaped([mean.Count, .. Enumerable.Repeat(1L, rank - 2)]), $"{node.Label()}_mean");
            graph.SetInput(node, 0, centered);
            graph.SetConstant(node, 3, RealTensor.Filled(mean.Type, mean.Shape, 0)!, $"{node.Label()}_no_mean");
            changed = true;
        }

        if (changed) editor.Finish();
        return changed;
    }

    private static bool IsFar(OnnxGraph graph, NodeProto node)
    {
        // In training mode it has no use for a stored mean; behind a Conv or MatMul it becomes part of the weights.
        if (!node.Is("BatchNormalization") || node.Output.Count(output => output.Length > 0) != 1 || graph.Opset < 9) return false;
        if (node.Integer("training_mode", 0) != 0 || node.Input.Count != 5) return false;
        if (graph.Producer(node.Input[0]) is { OpType: "Conv" or "MatMul" or "Gemm" or "ConvTranspose" }) return false;
        if (graph.Constant(node.Input[3]).Tensor is not { Type: DataType.Float, Rank: 1 } mean) return false;
        if (graph.Constant(node.Input[4]).Tensor is not { Type: DataType.Float, Rank: 1 } variance) return false;
        if (variance.Count != mean.Count) return false;
        var (means, variances) = (mean.ToArray(), variance.ToArray());
        double epsilon = node.Real("epsilon", 1e-5f);
        return Enumerable.Range(0, means.Length).Any(c => Math.Abs(means[c]) > FarFromZero * Math.Sqrt(variances[c] + epsilon));
    }
}

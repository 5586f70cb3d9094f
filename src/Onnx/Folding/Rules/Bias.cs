using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>The bias of a convolution: input 2, of shape [M], or not given.</summary>
internal static class Bias
{
    /// <summary>B' = scale·B + shift; a bias that is not given counts as zero, and stays away when nothing is added to it.</summary>
    /// <param name="node">The convolution.</param>
    /// <param name="plan">Takes the new bias.</param>
    /// <param name="type">The element type for a new bias.</param>
    /// <param name="scale">One factor for each output channel; null for 1.</param>
    /// <param name="shift">One summand for each output channel.</param>
    public static Verdict Apply(NodeProto node, FoldPlan plan, DataType type, double[]? scale, double[] shift)
    {
        double[] old;
        if (node.InputAt(2).Length > 0 || plan.Constant(node, 2).Tensor is not null)
        {
            var lookup = plan.Constant(node, 2);
            if (lookup.Tensor is not { } bias) return Verdict.No($"the bias of {node.Describe()} cannot be changed: {lookup.Reason}");
            if (bias.Count != shift.Length)
                return Verdict.No($"the bias of {node.Describe()} has {bias.Count} elements, but there are {shift.Length} output channels");
            (old, type) = (bias.ToArray(), bias.Type);
        }
        else
        {
            if (!Array.Exists(shift, value => value != 0)) return Verdict.Yes;
            old = new double[shift.Length];
        }

        var result = new double[shift.Length];
        for (var m = 0; m < result.Length; m++) result[m] = (old[m] * (scale is null ? 1 : scale[m])) + shift[m];
        plan.SetConstant(node, 2, RealTensor.Of(type, result, result.Length));
        return Verdict.Yes;
    }
}

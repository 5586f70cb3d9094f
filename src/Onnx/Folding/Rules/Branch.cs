using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>One operand of an operator that joins several of one shape, on its way to becoming map(operand).</summary>
internal static class Branch
{
    /// <summary>Changes the operand when it is a constant, and hands the map on to what makes it otherwise.</summary>
    /// <param name="node">The operator.</param>
    /// <param name="input">Which operand.</param>
    /// <param name="map">The map, on the axes of the operator's output.</param>
    /// <param name="rank">How many of them there are.</param>
    /// <param name="plan">What would change.</param>
    public static Verdict Map(NodeProto node, int input, ChannelMap map, int rank, FoldPlan plan)
    {
        if (plan.Constant(node, input).Tensor is { } constant)
        {
            if (!Broadcasting.Fits(map, constant, rank))
                return Verdict.No($"there are {map.Count} channels, but {node.Describe()} has {constant.Count}");
            plan.SetConstant(node, input, Broadcasting.Apply(map, constant, rank));
            return Verdict.Yes;
        }

        // A branch that is broadcast along the channels has no channels of its own to scale.
        if (map.IsUniform && !map.HasShift) return plan.Behind(node, input, map);
        var shape = plan.Graph.Shape(node.Input[input]);
        if (shape?.Rank != rank || (!map.IsUniform && shape[map.Axis].Size != map.Count))
            return Verdict.No($"'{node.Input[input]}' of shape {shape?.ToString() ?? "that is not known"} is broadcast by {node.Describe()}, or may be");
        return plan.Behind(node, input, map);
    }
}

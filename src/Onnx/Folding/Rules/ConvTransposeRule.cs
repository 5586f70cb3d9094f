using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// The transpose of a convolution, with W of shape [C, M/group, k1, …]: output channel g·M/group + m is W[g·C/group …, m], so behind it the
/// scale lies on axis 1 within each group. In front, axis 0 takes the scale; a shift reaches every output location through the same taps only
/// when the kernel is a single one.
/// </summary>
internal sealed class ConvTransposeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["ConvTranspose"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { } w) return NotConstant(node, "weight", weights);
        var group = node.Integer("group", 1);
        var (perGroup, taps) = (w.Shape[1], w.Product(2, w.Rank));
        if (!map.Fits(group * perGroup)) return WrongCount(node, map, group * perGroup);
        var count = (int)(group * perGroup);
        var verdict = Bias.Apply(node, plan, w.Type, map.Scales(count), map.Shifts(count));
        if (verdict.IsYes) plan.SetConstant(node, 1, w.Scaled(group, w.Shape[0] / group, perGroup, taps, map.Scales(count)));
        return verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a weight");
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { } w) return NotConstant(node, "weight", weights);
        if (!map.Fits(w.Shape[0])) return WrongCount(node, map, w.Shape[0]);
        var count = (int)w.Shape[0];
        var group = node.Integer("group", 1);
        if (map.HasShift)
        {
            if (!IsPointwise(node, w))
                return Verdict.No($"the number of taps that {node.Describe()} adds up differs between locations, so a shift has no constant effect");
            var added = w.Contract(group, 1, w.Shape[0] / group, w.Shape[1], map.Shifts(count), keepInner: true);
            var verdict = Bias.Apply(node, plan, w.Type, null, added);
            if (!verdict.IsYes) return verdict;
        }

        plan.SetConstant(node, 1, w.ScaledAlong(0, map.Scales(count)));
        return Verdict.Yes;
    }

    private static bool IsPointwise(NodeProto node, RealTensor w) =>
        w.Product(2, w.Rank) == 1
        && node.Integers("output_shape") is null
        && (node.Integers("strides")?.All(stride => stride == 1) ?? true)
        && (node.Integers("pads")?.All(pad => pad == 0) ?? true)
        && (node.Integers("output_padding")?.All(pad => pad == 0) ?? true);
}

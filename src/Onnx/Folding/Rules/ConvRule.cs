using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// Y = W ∗ X + B with W of shape [M, C/group, k1, …]. Behind: W'[m] = s[m]·W[m], B' = s·B + t. In front: W'[m, i] = W[m, i]·s[i],
/// B'[m] = B[m] + Σ W[m, i]·t[i]; the sum needs every tap to see t, so it must not pad with zeros.
/// </summary>
internal sealed class ConvRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Conv"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { } w) return NotConstant(node, "weight", weights);
        if (!map.Fits(w.Shape[0])) return WrongCount(node, map, w.Shape[0]);
        var count = (int)w.Shape[0];
        var verdict = Bias.Apply(node, plan, w.Type, map.Scales(count), map.Shifts(count));
        if (verdict.IsYes) plan.SetConstant(node, 1, w.ScaledAlong(0, map.Scales(count)));
        return verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a weight");
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { } w) return NotConstant(node, "weight", weights);
        var group = node.Integer("group", 1);
        var (perGroup, taps) = (w.Shape[1], w.Product(2, w.Rank));
        if (!map.Fits(group * perGroup)) return WrongCount(node, map, group * perGroup);
        var count = (int)(group * perGroup);
        if (map.HasShift)
        {
            if (Pads(node, w)) return Verdict.No($"{node.Describe()} pads with zeros, which the shift does not reach");
            var added = w.Contract(group, w.Shape[0] / group, perGroup, taps, map.Shifts(count), keepInner: false);
            var verdict = Bias.Apply(node, plan, w.Type, null, added);
            if (!verdict.IsYes) return verdict;
        }

        plan.SetConstant(node, 1, w.Scaled(group, w.Shape[0] / group, perGroup, taps, map.Scales(count)));
        return Verdict.Yes;
    }

    private static bool Pads(NodeProto node, RealTensor w) => node.Text("auto_pad", "NOTSET") switch
    {
        "VALID" => false,
        // A kernel of one location needs no padding to keep the size.
        "SAME_UPPER" or "SAME_LOWER" => w.Product(2, w.Rank) != 1,
        _ => node.Integers("pads")?.Any(pad => pad != 0) ?? false,
    };
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Folding;

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
            if (Pads(node, w))
                return Verdict.No(
                    $"{node.Describe()} pads with zeros, which the shift does not reach",
                    $"{node.Describe()} did not pad, or it only scaled");
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

/// <summary>
/// The transpose of a convolution, with W of shape [C, M/group, k1, …]: output channel g·M/group + m is W[g·C/group …, m], so behind it the
/// scale lies on axis 1 within each group. In front, axis 0 takes the scale; a shift reaches every output location through the same taps
/// only when the kernel is a single one.
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
                return Verdict.No(
                    $"the number of taps that {node.Describe()} adds up differs between locations, so a shift has no constant effect",
                    $"{node.Describe()} had a kernel of one location, or it only scaled");
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
            if (lookup.Tensor is not { } bias)
                return Verdict.No(
                    $"the bias of {node.Describe()} cannot be changed: {lookup.Reason}", $"the bias of {node.Describe()} were a constant");
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

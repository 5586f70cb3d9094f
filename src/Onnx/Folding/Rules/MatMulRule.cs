using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// Y = X·W with W of shape […, K, N], or Y = W·X with W of shape […, M, K]. The product has no summand, so a shift goes into the constant Add
/// behind it, or into a new one. Channels must lie on the axis that W makes (behind) or consumes (in front), which takes a known rank.
/// </summary>
internal sealed class MatMulRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["MatMul"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindWeights(node, plan, out var side, out var w);
        if (!verdict.IsYes) return verdict;
        var axis = side == 1 ? w.Rank - 1 : w.Rank - 2;
        if (!map.IsUniform)
        {
            if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank)
                return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
            var expected = side == 1 ? rank - 1 : rank - 2;
            if (map.Axis != expected) return WrongAxis(node, map, $"axis {expected}");
            if (map.Count != w.Shape[axis]) return WrongCount(node, map, w.Shape[axis]);
        }

        var count = (int)w.Shape[axis];
        if (map.HasShift && side == 0 && plan.Graph.Opset < 7) return NoColumn(node);
        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scales(count)));
        if (map.HasShift)
            plan.AddBehind(node, side == 1 ? RealTensor.Of(w.Type, map.Shifts(count), count) : RealTensor.Of(w.Type, map.Shifts(count), count, 1));
        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindWeights(node, plan, out var side, out var w);
        if (!verdict.IsYes) return verdict;
        if (side == input) return Verdict.No($"{node.Describe()} reads it as a weight");
        if (plan.Graph.Shape(node.Input[input])?.Rank is not { } rank)
            return Verdict.No($"the number of dimensions of '{node.Input[input]}' is not known");
        if (rank < 2) return Verdict.No($"'{node.Input[input]}' has one dimension");
        var axis = side == 1 ? w.Rank - 2 : w.Rank - 1;
        if (!map.IsUniform)
        {
            var expected = side == 1 ? rank - 1 : rank - 2;
            if (map.Axis != expected) return WrongAxis(node, map, $"axis {expected}");
            if (map.Count != w.Shape[axis]) return WrongCount(node, map, w.Shape[axis]);
        }

        var count = (int)w.Shape[axis];
        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scales(count)));
        if (!map.HasShift) return Verdict.Yes;
        if (plan.Graph.Opset < 7 && (side == 0 || w.Rank > 2)) return NoColumn(node);
        var (batch, m, n) = (w.Product(0, w.Rank - 2), w.Shape[^2], w.Shape[^1]);
        var added = side == 1
            ? w.Contract(1, batch, m, n, map.Shifts(count), keepInner: true)
            : w.Contract(1, batch * m, n, 1, map.Shifts(count), keepInner: false);
        var leading = w.Shape.Take(w.Rank - 2);
        long[] shape = side == 1 ? w.Rank == 2 ? [n] : [.. leading, 1, n] : [.. leading, m, 1];
        plan.AddBehind(node, RealTensor.Of(w.Type, added, shape));
        return Verdict.Yes;
    }

    private static Verdict NoColumn(NodeProto node) =>
        Verdict.No($"behind {node.Describe()} the shift is no row, and up to opset 6 an Add broadcasts nothing else");

    private static Verdict FindWeights(NodeProto node, FoldPlan plan, out int side, out RealTensor weights)
    {
        side = 1;
        weights = null!;
        var right = plan.Constant(node, 1);
        if (right.Tensor is not { } w)
        {
            side = 0;
            var left = plan.Constant(node, 0);
            if (left.Tensor is not { } other)
                return Verdict.No($"neither operand of {node.Describe()} is constant: {right.Reason}; {left.Reason}");
            w = other;
        }

        if (w.Rank < 2) return Verdict.No($"the weight of {node.Describe()} is a vector");
        weights = w;
        return Verdict.Yes;
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// max(s·x + t, c) = s·max(x, (c − t)/s) + t for s > 0, and the same for min: a bound moves into the unit of what it bounds. Behind, every operand
/// takes the map. A negative scale would make a max of a min.
/// </summary>
internal sealed class MaxMinRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Max", "Min"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan, out var rank);
        for (var input = 0; input < node.Input.Count && verdict.IsYes; input++) verdict = Branch.Map(node, input, map, rank, plan);
        return verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan, out var rank);
        if (!verdict.IsYes) return verdict;
        if (ConstantArithmetic.Operand(node, plan, out var data, out var axis) is not { } bound || data != input)
            return Verdict.No($"{node.Describe()} compares it with something that is not scaled");
        if (bound.Length == 1) axis = map.Axis;
        else if (!map.IsUniform && (axis != map.Axis || bound.Length != map.Count)) return WrongCount(node, map, bound.Length);
        var count = Math.Max(bound.Length, map.Count);
        var (moved, shift) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
        {
            var (s, t, c) = (map.ScaleAt(i), map.ShiftAt(i), bound[bound.Length == 1 ? 0 : i]);
            // A channel that is scaled by 0 is t everywhere, so what comes out is known already.
            (moved[i], shift[i]) = s != 0 ? ((c - t) / s, t) : (0, node.OpType == "Max" ? Math.Max(t, c) : Math.Min(t, c));
        }

        var onward = new ChannelMap(axis, map.Scales(count), shift);
        var type = plan.Constant(node, 1 - input).Tensor!.Type;
        plan.SetConstant(node, 1 - input, RealTensor.Of(type, moved, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }

    private static Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan, out int rank)
    {
        rank = plan.Graph.Shape(node.Output[0])?.Rank ?? -1;
        if (rank < 0) return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        if (plan.Graph.Opset < 8) return Verdict.No($"{node.Describe()} does not broadcast before opset 8");
        return map.KeepsOrder ? Verdict.Yes : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side");
    }
}

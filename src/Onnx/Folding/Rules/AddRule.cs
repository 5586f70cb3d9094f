using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// s·(a + b) + t = (s·a + t) + s·b: every branch takes the scale, one of them the shift. A constant branch takes in whatever it gets, so behind
/// "MatMul, Add" the matrix is scaled and the Add takes the rest.
/// </summary>
internal sealed class AddRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Add", "Sub", "Sum"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        // Up to opset 6 a summand is aligned by attributes; only a plain sum of equals is followed there.
        if (plan.Graph.Opset < 7 && node.Integer("broadcast", 0) != 0)
            return Verdict.No($"{node.Describe()} broadcasts the way of opset 6");
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank)
            return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        var constants = Enumerable.Range(0, node.Input.Count).Where(input => plan.Constant(node, input).Tensor is not null).ToArray();
        // A minus sign before the constant turns the shift round.
        var takesShift = constants.Length > 0 ? constants[0] : 0;
        for (var input = 0; input < node.Input.Count; input++)
        {
            var part = input == takesShift ? map : map.WithoutShift();
            if (node.OpType == "Sub" && input == 1 && input == takesShift)
                part = part with { Shift = Array.ConvertAll(part.Shift, value => -value) };
            var verdict = constants.Contains(input) ? MapConstant(node, input, part, rank, plan) : MapBranch(node, input, part, rank, plan);
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) =>
        Verdict.No($"{node.Describe()} adds something to it that is not scaled");

    private static Verdict MapConstant(NodeProto node, int input, ChannelMap map, int rank, FoldPlan plan)
    {
        var constant = plan.Constant(node, input).Tensor!;
        if (!Broadcasting.Fits(map, constant, rank)) return WrongCount(node, map, constant.Count);
        plan.SetConstant(node, input, Broadcasting.Apply(map, constant, rank));
        return Verdict.Yes;
    }

    // A branch that is broadcast along the channels has no channels of its own to scale.
    private static Verdict MapBranch(NodeProto node, int input, ChannelMap map, int rank, FoldPlan plan)
    {
        if (map.IsUniform && !map.HasShift) return plan.Behind(node, input, map);
        var shape = plan.Graph.Shape(node.Input[input]);
        if (shape?.Rank != rank || (!map.IsUniform && shape[map.Axis].Size != map.Count))
            return Verdict.No($"'{node.Input[input]}' of shape {shape?.ToString() ?? "that is not known"} is broadcast by {node.Describe()}, or may be");
        return plan.Behind(node, input, map);
    }
}

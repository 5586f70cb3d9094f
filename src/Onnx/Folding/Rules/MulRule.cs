using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>s·(a·b) = (s·a)·b: a scale without shift moves to either factor, or to the dividend.</summary>
internal sealed class MulRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Mul", "Div"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift) return Verdict.No($"{node.Describe()} can take in no shift");
        if (plan.Graph.Opset < 7) return Verdict.No($"{node.Describe()} broadcasts the way of opset 6");
        var first = plan.Try(() => MapOperand(node, 0, map, plan));
        if (first.IsYes || node.OpType == "Div") return first;
        var second = plan.Try(() => MapOperand(node, 1, map, plan));
        return second.IsYes ? second : first;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift) return Verdict.No($"{node.Describe()} would multiply the shift");
        if (node.OpType == "Div" && input == 1) return Verdict.No($"{node.Describe()} divides by it");
        if (plan.Graph.Opset < 7) return Verdict.No($"{node.Describe()} broadcasts the way of opset 6");
        return HasChannels(node.Input[input], node, map, plan) ? plan.InFront(node.Output[0], map) : Broadcasts(node, input);
    }

    private static Verdict MapOperand(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (plan.Constant(node, input).Tensor is { } constant)
        {
            if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank || !Broadcasting.Fits(map, constant, rank))
                return WrongCount(node, map, constant.Count);
            plan.SetConstant(node, input, Broadcasting.Apply(map, constant, rank));
            return Verdict.Yes;
        }

        return HasChannels(node.Input[input], node, map, plan) ? plan.Behind(node, input, map) : Broadcasts(node, input);
    }

    private static Verdict Broadcasts(NodeProto node, int input) =>
        Verdict.No($"'{node.Input[input]}' is broadcast by {node.Describe()}, or may be");

    private static bool HasChannels(string value, NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return true;
        var (shape, output) = (plan.Graph.Shape(value), plan.Graph.Shape(node.Output[0]));
        return shape is not null && output is not null && shape.Rank == output.Rank && shape[map.Axis].Size == map.Count;
    }
}

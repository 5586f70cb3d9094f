using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>Axis i of the output is axis perm[i] of the input, and the channels go with it.</summary>
internal sealed class TransposeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Transpose"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (Order(node, plan) is not { } order || map.Axis >= order.Length) return Unknown(node);
        return plan.Behind(node, 0, map.At(order[map.Axis]));
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (Order(node, plan) is not { } order || Array.IndexOf(order, map.Axis) is not (>= 0 and var axis)) return Unknown(node);
        return plan.InFront(node.Output[0], map.At(axis));
    }

    private static int[]? Order(NodeProto node, FoldPlan plan)
    {
        if (node.Integers("perm") is { } perm) return [.. perm.Select(axis => (int)(axis < 0 ? axis + perm.Count : axis))];
        return plan.Graph.Shape(node.Input[0]) is { } shape ? [.. Enumerable.Range(0, shape.Rank).Reverse()] : null;
    }

    private static Verdict Unknown(NodeProto node) => Verdict.No($"where {node.Describe()} takes the channels is not known");
}

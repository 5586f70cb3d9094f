using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>A mean over axes other than the channels commutes with a map: the form in which Keras exports global average pooling.</summary>
internal sealed class ReduceMeanRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["ReduceMean"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (Kept(node, plan) is not { } kept || map.Axis >= kept.Length || kept[map.Axis] < 0) return Lost(node);
        return plan.Behind(node, 0, map.At(kept[map.Axis]));
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as axes");
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (Kept(node, plan) is not { } kept || Array.IndexOf(kept, map.Axis) is not (>= 0 and var axis)) return Lost(node);
        return plan.InFront(node.Output[0], map.At(axis));
    }

    private static Verdict Lost(NodeProto node) => Verdict.No($"{node.Describe()} averages over the channels, or may");

    // For each axis of the output, the axis of the input that it was, or −1 for one that was averaged over and kept as 1.
    private static int[]? Kept(NodeProto node, FoldPlan plan)
    {
        if (plan.Graph.Shape(node.Input[0]) is not { } shape) return null;
        var given = node.InputAt(1).Length > 0 ? plan.Graph.Integers(node.InputAt(1)) : [.. node.Integers("axes") ?? []];
        // No axes means all of them, or none by an attribute.
        if (given is not { Length: > 0 }) return null;
        var reduced = given.Select(axis => (int)(axis < 0 ? axis + shape.Rank : axis)).ToHashSet();
        var axes = Enumerable.Range(0, shape.Rank);
        return node.Integer("keepdims", 1) != 0
            ? [.. axes.Select(axis => reduced.Contains(axis) ? -1 : axis)]
            : [.. axes.Where(axis => !reduced.Contains(axis))];
    }
}

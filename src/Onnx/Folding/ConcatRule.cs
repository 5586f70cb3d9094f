using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// A map behind a Concat along the channels falls apart into one for each input; along another axis every input gets all of it. In front,
/// it becomes a map of the joined tensor that leaves the channels of the other inputs alone.
/// </summary>
internal sealed class ConcatRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Concat"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindAxis(node, plan, out var axis);
        if (!verdict.IsYes) return verdict;
        var start = 0;
        for (var input = 0; input < node.Input.Count; input++)
        {
            var part = map;
            if (!map.IsUniform && map.Axis == axis)
            {
                if (Size(node, input, axis, plan) is not { } size)
                    return Verdict.No($"the number of channels of '{node.Input[input]}' is not known");
                if (start + size > map.Count) return WrongCount(node, map, start + size);
                part = map.Part(start, (int)size);
                start += (int)size;
            }

            verdict = plan.Behind(node, input, part);
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindAxis(node, plan, out var axis);
        if (!verdict.IsYes) return verdict;
        if (!map.IsUniform && map.Axis != axis)
            return Verdict.No($"{node.Describe()} joins it with others along axis {axis}, not along its channels");
        long start = 0, total = 0, own = 0;
        for (var i = 0; i < node.Input.Count; i++)
        {
            if (Size(node, i, axis, plan) is not { } size) return Verdict.No($"the number of channels of '{node.Input[i]}' is not known");
            if (i < input) start += size;
            if (i == input) own = size;
            total += size;
            // Declared sizes are anybody's claim: nothing is allocated for an absurd one.
            if (total is < 0 or > ChannelMap.LargestCount) return Verdict.No($"{node.Describe()} makes too many channels to follow");
        }

        if (!map.Fits(own)) return WrongCount(node, map, own);
        return plan.InFront(node.Output[0], map.At(axis).Within((int)total, (int)start, (int)own));
    }

    private static Verdict FindAxis(NodeProto node, FoldPlan plan, out int axis)
    {
        // Before opset 4 the axis had a default.
        axis = (int)node.Integer("axis", 1);
        if (axis >= 0) return Verdict.Yes;
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank)
            return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        axis += rank;
        return Verdict.Yes;
    }

    private static long? Size(NodeProto node, int input, int axis, FoldPlan plan) =>
        plan.Graph.Shape(node.Input[input]) is { } shape && axis < shape.Rank ? shape[axis].Size : null;
}

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
                    return Sizes.Unknown(node.Input[input]);
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
            return Verdict.No(
                $"{node.Describe()} joins it with others along axis {axis}, not along its channels",
                $"every input of {node.Describe()} were mapped alike");
        long start = 0, total = 0, own = 0;
        for (var i = 0; i < node.Input.Count; i++)
        {
            if (Size(node, i, axis, plan) is not { } size) return Sizes.Unknown(node.Input[i]);
            if (i < input) start += size;
            if (i == input) own = size;
            total += size;
            // Declared sizes are anybody's claim: nothing is allocated for an absurd one.
            if (total > plan.MostChannels) return Verdict.No($"{node.Describe()} makes too many channels to follow");
        }

        if (!map.Fits(own)) return WrongCount(node, map, own);
        return plan.InFront(node.Output[0], map.At(axis).Within((int)total, (int)start, (int)own));
    }

    private static Verdict FindAxis(NodeProto node, FoldPlan plan, out int axis)
    {
        // Before opset 4 the axis had a default.
        axis = (int)node.Integer("axis", 1);
        if (axis >= 0) return Verdict.Yes;
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank) return UnknownRank(node.Output[0]);
        axis += rank;
        return Verdict.Yes;
    }

    private static long? Size(NodeProto node, int input, int axis, FoldPlan plan) =>
        plan.Graph.Shape(node.Input[input]) is { } shape && axis >= 0 && axis < shape.Rank ? shape[axis].Size : null;
}

/// <summary>Sizes of axes that rules for channels ask for.</summary>
internal static class Sizes
{
    /// <summary>The axis that an attribute names, counted from the front; null where that is not known.</summary>
    public static int? Axis(NodeProto node, long otherwise, FoldPlan plan)
    {
        var axis = node.Integer("axis", otherwise);
        if (axis < 0 && plan.Graph.Shape(node.Input[0])?.Rank is not { }) return null;
        if (axis < 0) axis += plan.Graph.Shape(node.Input[0])!.Rank;
        return axis < 0 ? null : (int)axis;
    }

    /// <summary>How many channels a value has on an axis; null where that is not known, or more than is to be believed.</summary>
    public static int? Of(string value, int axis, FoldPlan plan) =>
        plan.Graph.Shape(value) is { } shape && axis < shape.Rank && shape[axis].Size is >= 0 and var size && size <= plan.MostChannels
            ? (int)size
            : null;

    public static Verdict Unknown(string value) => Verdict.No(
        $"the number of channels of '{value}' is not known", $"the model declared the shape of '{value}'");
}

/// <summary>
/// A Split along the channels: each part is mapped by itself, and in front each part gets its own piece of the map. A Split along another
/// axis (ghost batches) can be passed only when all parts get the same.
/// </summary>
internal sealed class SplitRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Split"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) => Behind(node, 0, map, plan);

    public override Verdict Behind(NodeProto node, int output, ChannelMap map, FoldPlan plan)
    {
        if (Sizes.Axis(node, 0, plan) is not { } axis) return UnknownRank(node.Input[0]);
        if (!map.IsUniform) return map.Axis == axis ? OfPart(node, output, map, axis, plan) : OfAll(node, output, map, plan);
        // One map for every element of the part is also one for each of its channels, whichever axis it was cut along.
        var all = plan.Try(() => OfAll(node, output, map, plan));
        if (all.IsYes || Parts(node, axis, plan) is not { } sizes) return all;
        var count = (int)sizes[output];
        return OfPart(node, output, new ChannelMap(axis, map.Scales(count), map.Shifts(count)), axis, plan);
    }

    private static Verdict OfPart(NodeProto node, int output, ChannelMap map, int axis, FoldPlan plan)
    {
        if (Parts(node, axis, plan) is not { } sizes) return Sizes.Unknown(node.Input[0]);
        if (sizes[output] != map.Count) return WrongCount(node, map, sizes[output]);
        return plan.Behind(node, 0, map.Within((int)sizes.Sum(), (int)sizes.Take(output).Sum(), map.Count));
    }

    private static Verdict OfAll(NodeProto node, int output, ChannelMap map, FoldPlan plan)
    {
        for (var other = 0; other < node.Output.Count; other++)
        {
            if (other == output || node.Output[other].Length == 0) continue;
            var value = node.Output[other];
            if (plan.Graph.IsOutput(value) || !plan.Graph.Readers(value).All(use => use.IsShapeOnly || plan.HasSameMap(use, map)))
                return Verdict.No(
                    $"'{value}', another part that {node.Describe()} makes, is not normalized in the same way",
                    $"all parts that {node.Describe()} makes went into equal batch normalizations");
            plan.Touch(value);
        }

        return plan.Behind(node, 0, map);
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as sizes");
        if (Sizes.Axis(node, 0, plan) is not { } axis) return UnknownRank(node.Input[0]);
        var along = !map.IsUniform && map.Axis == axis;
        var sizes = along ? Parts(node, axis, plan) : null;
        if (along && sizes is null) return Sizes.Unknown(node.Input[0]);
        if (along && sizes!.Sum() != map.Count) return WrongCount(node, map, sizes!.Sum());
        var start = 0;
        for (var output = 0; output < node.Output.Count; output++)
        {
            var part = along ? map.Part(start, (int)sizes![output]) : map;
            if (along) start += (int)sizes![output];
            var value = node.Output[output];
            // A part that nobody reads needs no map.
            if (value.Length == 0 || !plan.Graph.IsUsed(value)) continue;
            var verdict = plan.InFront(value, part);
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    private static long[]? Parts(NodeProto node, int axis, FoldPlan plan) =>
        Sizes.Of(node.Input[0], axis, plan) is { } size ? AxisRange.SizesOfSplit(node, plan.Graph, size) : null;
}

/// <summary>What keeps some of the channels, in whatever order: the map goes on to those, or shrinks to them.</summary>
internal abstract class PickingRule : FoldRule
{
    public sealed override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Find(node, map, plan, true, out var axis, out var picks);
        if (!verdict.IsYes) return verdict;
        if (picks is null) return plan.Behind(node, 0, map.At(axis));
        if (Sizes.Of(node.Input[0], axis, plan) is not { } total) return Sizes.Unknown(node.Input[0]);
        if (picks.Length != map.Count) return WrongCount(node, map, picks.Length);
        if (map.At(axis).Scattered(picks, total) is not { } scattered)
            return Verdict.No(
                $"{node.Describe()} gives one channel several times, and the map is another for each", "its copies were mapped alike");
        // Others may read the rest of the channels: x[:, :4] beside x[:, 4:].
        return plan.Behind(node, 0, scattered, use =>
            FoldRules.For(use.Node) is PickingRule rule && use.Input == 0
            && rule.Find(use.Node, scattered, plan, false, out var other, out var theirs).IsYes && other == axis && theirs is not null
            && !theirs.Intersect(picks).Any());
    }

    public sealed override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as {OtherInputs}");
        var verdict = Find(node, map, plan, false, out var axis, out var picks);
        if (!verdict.IsYes) return verdict;
        return plan.InFront(node.Output[0], (picks is null ? map : map.Picked(picks)).At(axis));
    }

    /// <summary>What all inputs but the first are.</summary>
    protected abstract string OtherInputs { get; }

    /// <summary>Finds out what becomes of the channels.</summary>
    /// <param name="node">The operator.</param>
    /// <param name="map">The map.</param>
    /// <param name="plan">Gives shapes and constants.</param>
    /// <param name="isBehind">Whether the map lies on the output, and is looked for in the input; or the other way round.</param>
    /// <param name="axis">The axis on the other side.</param>
    /// <param name="picks">For each channel of the output, which one of the input it is; null when all stay as they are.</param>
    protected abstract Verdict Find(NodeProto node, ChannelMap map, FoldPlan plan, bool isBehind, out int axis, out int[]? picks);
}

/// <summary>A Slice.</summary>
internal sealed class SliceRule : PickingRule
{
    public override IReadOnlyList<string> Operators => ["Slice"];

    protected override string OtherInputs => "bounds";

    protected override Verdict Find(NodeProto node, ChannelMap map, FoldPlan plan, bool isBehind, out int axis, out int[]? picks)
    {
        (axis, picks) = (map.Axis, null);
        if (map.IsUniform) return Verdict.Yes;
        if (plan.Graph.Shape(node.Input[0]) is not { } shape) return UnknownRank(node.Input[0]);
        if (AxisRange.OfSlice(node, plan.Graph, shape.Rank) is not { } ranges)
            return Verdict.No($"which part {node.Describe()} takes is not known", $"the bounds of {node.Describe()} were constants");
        var own = map.Axis;
        if (ranges.All(range => range.Axis != own)) return Verdict.Yes;
        if (Sizes.Of(node.Input[0], own, plan) is not { } size) return Sizes.Unknown(node.Input[0]);
        var range = ranges.First(range => range.Axis == own);
        var (first, count) = range.Within(size);
        picks = [.. Enumerable.Range(0, (int)count).Select(i => (int)(first + (i * range.Step)))];
        return Verdict.Yes;
    }
}

/// <summary>A Gather: of channels by constant indices, or along another axis by any.</summary>
internal sealed class GatherRule : PickingRule
{
    public override IReadOnlyList<string> Operators => ["Gather"];

    protected override string OtherInputs => "indices";

    protected override Verdict Find(NodeProto node, ChannelMap map, FoldPlan plan, bool isBehind, out int axis, out int[]? picks)
    {
        (axis, picks) = (map.Axis, null);
        if (map.IsUniform) return Verdict.Yes;
        if (Sizes.Axis(node, 0, plan) is not { } along) return UnknownRank(node.Input[0]);
        if (plan.Graph.Shape(node.InputAt(1))?.Rank is not { } rank) return UnknownRank(node.InputAt(1));
        // The axes of the indices stand in the place of one axis of the data.
        var isChannels = isBehind ? map.Axis >= along && map.Axis < along + rank : map.Axis == along;
        if (!isChannels)
        {
            if (map.Axis > along || (isBehind && map.Axis >= along)) axis = isBehind ? map.Axis - rank + 1 : map.Axis + rank - 1;
            return Verdict.Yes;
        }

        if (rank != 1)
            return Verdict.No(
                $"{node.Describe()} takes the channels apart, by {rank} dimensions of indices", "the indices had one dimension");
        if (plan.Graph.Integers(node.InputAt(1)) is not { } indices || Sizes.Of(node.Input[0], along, plan) is not { } size)
            return Verdict.No($"which channels {node.Describe()} takes is not known", $"the indices of {node.Describe()} were constants");
        if (indices.Any(index => index < -size || index >= size)) return Verdict.No($"{node.Describe()} takes channels that there are not");
        axis = along;
        picks = [.. indices.Select(index => (int)(index < 0 ? index + size : index))];
        return Verdict.Yes;
    }
}

/// <summary>A Tile repeats whole axes; channels that are repeated need the same map in each lot.</summary>
internal sealed class TileRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Tile"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (Times(node, map.Axis, plan) is not (> 0 and var times) || map.Count % times != 0) return Unknown(node);
        return map.OfOneLot((int)times) is { } one
            ? plan.Behind(node, 0, one)
            : Verdict.No($"{node.Describe()} repeats the channels, and the map is another for each lot", "each lot were mapped alike");
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a count");
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (Times(node, map.Axis, plan) is not (> 0 and var times) || times > plan.MostChannels
            || times * map.Count > plan.MostChannels)
            return Unknown(node);
        return plan.InFront(node.Output[0], map.Tile((int)times));
    }

    private static long? Times(NodeProto node, int axis, FoldPlan plan) =>
        plan.Graph.Opset >= 6 && plan.Graph.Integers(node.InputAt(1)) is { } times && axis < times.Length ? times[axis] : null;

    private static Verdict Unknown(NodeProto node) =>
        Verdict.No($"how often {node.Describe()} repeats the channels is not known", $"the counts of {node.Describe()} were constants");
}

/// <summary>
/// [N, C·b², H, W] to [N, C, H·b, W·b]: every channel is woven from b² of them, which lie C apart (DCR) or side by side (CRD).
/// </summary>
internal sealed class DepthToSpaceRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["DepthToSpace"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (map.Axis != 1) return WrongAxis(node, map, "axis 1");
        if (Weave.Count(node) is not { } times || (long)times * map.Count > plan.MostChannels) return Weave.Unknown(node);
        return plan.Behind(node, 0, IsApart(node) ? map.Tile(times) : map.Repeat(times));
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (map.Axis != 1) return WrongAxis(node, map, "axis 1");
        if (Weave.Count(node) is not { } times || map.Count % times != 0) return Weave.Unknown(node);
        return (IsApart(node) ? map.OfOneLot(times) : map.OfNeighbours(times)) is { } woven
            ? plan.InFront(node.Output[0], woven)
            : Verdict.No($"{node.Describe()} weaves channels together that are mapped differently", "they were mapped alike");
    }

    private static bool IsApart(NodeProto node) => node.Text("mode", "DCR") != "CRD";
}

/// <summary>[N, C, H·b, W·b] to [N, b²·C, H, W]: b² lots of all channels.</summary>
internal sealed class SpaceToDepthRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["SpaceToDepth"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (map.Axis != 1) return WrongAxis(node, map, "axis 1");
        if (Weave.Count(node) is not { } times || map.Count % times != 0) return Weave.Unknown(node);
        return map.OfOneLot(times) is { } one
            ? plan.Behind(node, 0, one)
            : Verdict.No($"{node.Describe()} makes several channels of each, which are mapped differently", "they were mapped alike");
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (map.Axis != 1) return WrongAxis(node, map, "axis 1");
        if (Weave.Count(node) is not { } times || (long)times * map.Count > plan.MostChannels) return Weave.Unknown(node);
        return plan.InFront(node.Output[0], map.Tile(times));
    }
}

/// <summary>How many channels become one, or one becomes, where blocks of locations and channels are exchanged.</summary>
internal static class Weave
{
    public static int? Count(NodeProto node) =>
        node.Integer("blocksize", 0) is >= 1 and <= 4096 and var block ? (int)(block * block) : null;

    public static Verdict Unknown(NodeProto node) => Verdict.No($"the block size of {node.Describe()} does not fit the channels");
}

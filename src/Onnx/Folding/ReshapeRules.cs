using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// Elements keep their order and get other axes. The channels can be followed where the sizes around them are known: [N, C, 1, 1] to [N, C]
/// in both directions; [N, C, H, W] to [N, C·H·W] forwards, where every channel becomes H·W neighbours.
/// </summary>
internal sealed class ReshapeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Reshape", "Flatten", "Squeeze", "Unsqueeze"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (GroupedProduct.Behind(node, map, plan) is { } verdict) return verdict;
        if (Follow(node.Output[0], node.Input[0], map, plan) is not { } moved) return Lost(node, map);
        return plan.Behind(node, 0, moved);
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a shape");
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (Follow(node.Input[0], node.Output[0], map, plan) is not { } moved) return Lost(node, map);
        return plan.InFront(node.Output[0], moved);
    }

    private static Verdict Lost(NodeProto node, ChannelMap map) =>
        Verdict.No($"the {map.Count} channels cannot be followed through {node.Describe()}");

    private static ChannelMap? Follow(string from, string to, ChannelMap map, FoldPlan plan)
    {
        if (plan.Graph.Shape(from) is not { } source || plan.Graph.Shape(to) is not { } target || map.Axis >= source.Rank) return null;
        return ReshapeAxes.Follow(source, target, map, plan.MostChannels);
    }
}

/// <summary>Finds an axis again after a reshape.</summary>
internal static class ReshapeAxes
{
    /// <summary>
    /// The map on the axes of <paramref name="target"/>, or null where the channels do not lie on one axis there, or cannot be found.
    /// </summary>
    /// <param name="source">The shape that the map lies on.</param>
    /// <param name="target">The shape that it is to lie on.</param>
    /// <param name="map">The map.</param>
    /// <param name="most">How many channels it may get.</param>
    /// <remarks>
    /// Both shapes are cut into the smallest groups of neighbouring axes that hold as many elements: from the front as far as the sizes are
    /// known, then from the back. The channels are looked for in the group that theirs became.
    /// </remarks>
    public static ChannelMap? Follow(TensorShape source, TensorShape target, ChannelMap map, int most)
    {
        var (from, to) = (source.Dimensions, target.Dimensions);
        var front = Group([.. from], [.. to], map.Axis);
        if (front is var (start, end, newStart, newEnd)) return Within(from, to, start, end, newStart, newEnd, map, most);
        var back = Group([.. from.Reverse()], [.. to.Reverse()], from.Count - 1 - map.Axis);
        return back is var (s, e, ns, ne)
            ? Within(from, to, from.Count - e, from.Count - s, to.Count - ne, to.Count - ns, map, most)
            : null;
    }

    // The ranges [start, end) of source and target axes that hold the axis and equally many elements; null where a size is not known.
    private static (int Start, int End, int NewStart, int NewEnd)? Group(TensorDimension[] from, TensorDimension[] to, int axis)
    {
        var (i, j) = (0, 0);
        while (i < from.Length)
        {
            var (start, newStart) = (i, j);
            if (j < to.Length && from[i] == to[j] && from[i] != TensorDimension.Unknown)
            {
                (i, j) = (i + 1, j + 1);
            }
            else
            {
                if (from[i++].Size is not { } left) return null;
                long right = 1;
                while (left != right)
                {
                    if (left < right)
                    {
                        if (i == from.Length || from[i++].Size is not { } next || next < 1 || left > long.MaxValue / next) return null;
                        left *= next;
                    }
                    else
                    {
                        if (j == to.Length || to[j++].Size is not { } next || next < 1 || right > long.MaxValue / next) return null;
                        right *= next;
                    }
                }
            }

            if (axis < i) return (start, i, newStart, j);
        }

        return null;
    }

    private static ChannelMap? Within(
        IReadOnlyList<TensorDimension> from, IReadOnlyList<TensorDimension> to, int start, int end, int newStart, int newEnd,
        ChannelMap map, int most)
    {
        if (end - start == 1 && newEnd - newStart == 1) return map.At(newStart);
        // Without a single axis of its own, or with the map's own axis among others, every size must be known.
        long outer = 1, inner = 1;
        for (var axis = start; axis < end; axis++)
        {
            if (axis == map.Axis) continue;
            if (from[axis].Size is not { } size) return null;
            if (axis < map.Axis) outer *= size;
            else inner *= size;
            // More than a map can have, or none: in either case there is nothing to follow.
            if (outer <= 0 || outer > most || inner <= 0 || inner > most) return null;
        }

        // The channels came out as an axis of their own.
        long before = 1;
        for (var axis = newStart; axis < newEnd; axis++)
        {
            if (to[axis].Size is not { } size) return null;
            if (size == map.Count && before == outer) return map.At(axis);
            before *= size;
            if (before <= 0 || before > most) break;
        }

        // All of the group became one axis: each channel is repeated, and the whole as often as what stood before it says.
        var joined = Enumerable.Range(newStart, newEnd - newStart).Where(axis => to[axis].Size != 1).ToArray();
        return joined.Length == 1 && (Int128)outer * inner * map.Count <= most
            ? map.Repeat((int)inner).Tile((int)outer).At(joined[0])
            : null;
    }
}

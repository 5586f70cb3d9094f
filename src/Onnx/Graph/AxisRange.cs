using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A part of an axis, as Slice names it.</summary>
/// <param name="Axis">The axis, counted from the front.</param>
/// <param name="Start">The first element; negative ones count from the end.</param>
/// <param name="End">Where it ends (not included); negative ones count from the end.</param>
/// <param name="Step">From one element to the next; negative = backwards.</param>
internal readonly record struct AxisRange(int Axis, long Start, long End, long Step)
{
    /// <summary>The parts that a Slice takes, one for each axis that it names; null where they are not known.</summary>
    public static AxisRange[]? OfSlice(NodeProto node, OnnxGraph graph, int rank)
    {
        var starts = node.Integers("starts") ?? graph.Integers(node.InputAt(1));
        var ends = node.Integers("ends") ?? graph.Integers(node.InputAt(2));
        if (starts is null || ends is null || starts.Count != ends.Count) return null;
        var axes = node.Integers("axes")
            ?? (node.InputAt(3).Length > 0
                ? graph.Integers(node.InputAt(3))
                : [.. Enumerable.Range(0, starts.Count).Select(axis => (long)axis)]);
        var steps = node.InputAt(4).Length > 0 ? graph.Integers(node.InputAt(4)) : [.. Enumerable.Repeat(1L, starts.Count)];
        if (axes is null || steps is null || axes.Count != starts.Count || steps.Length != starts.Count || steps.Contains(0)) return null;
        var result = new AxisRange[starts.Count];
        for (var i = 0; i < result.Length; i++)
        {
            var axis = axes[i] < 0 ? axes[i] + rank : axes[i];
            if (axis < 0 || axis >= rank) return null;
            result[i] = new AxisRange((int)axis, starts[i], ends[i], steps[i]);
        }

        return result;
    }

    /// <summary>Whether a Split, a Slice or an operator that takes nothing away leaves an axis whole; null = whatever it takes.</summary>
    public static bool IsKept(NodeProto node, OnnxGraph graph, int? axis)
    {
        if (axis is null || !(node.Is("Split") || node.Is("Slice"))) return true;
        if (graph.Shape(node.Input[0]) is not { } shape) return false;
        if (node.Is("Slice")) return OfSlice(node, graph, shape.Rank) is { } ranges && ranges.All(range => range.Axis != axis);
        var cut = node.Integer("axis", 0);
        return (cut < 0 ? cut + shape.Rank : cut) != axis;
    }

    /// <summary>The sizes that a Split cuts an axis into; null where they are not known or do not fit.</summary>
    public static long[]? SizesOfSplit(NodeProto node, OnnxGraph graph, long size)
    {
        var count = node.Output.Count;
        var given = node.Integers("split") ?? (node.InputAt(1).Length > 0 ? graph.Integers(node.InputAt(1)) : []);
        if (given is null) return null;
        if (given.Count > 0)
            return given.Count == count && given.All(part => part >= 0 && part <= size) && given.Sum() == size ? [.. given] : null;
        // Equal parts; from opset 18 on the last may be smaller.
        var part = (size + count - 1) / count;
        if (size % count != 0 && node.Attribute("num_outputs") is null) return null;
        long[] sizes = [.. Enumerable.Range(0, count).Select(i => Math.Clamp(size - (i * part), 0, part))];
        return sizes;
    }

    /// <summary>The first element and how many there are, on an axis of a given size.</summary>
    public (long First, long Count) Within(long size)
    {
        var (start, end) = (Start < 0 ? Start + size : Start, End < 0 && End >= -size ? End + size : End);
        if (Step > 0)
        {
            (start, end) = (Math.Clamp(start, 0, size), Math.Clamp(end, 0, size));
            return (start, end <= start ? 0 : ((end - start - 1) / Step) + 1);
        }

        if (size == 0) return (0, 0);
        (start, end) = (Math.Clamp(start, 0, size - 1), Math.Clamp(end, -1, size - 1));
        return (start, end >= start ? 0 : ((end - start + 1) / Step) + 1);
    }
}

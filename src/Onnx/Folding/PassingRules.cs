using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// An operator that a map passes as it is, or with its channels on another axis: it stands aside, and what is in front of it or behind it
/// takes the map in.
/// </summary>
internal abstract class PassingRule : FoldRule
{
    public sealed override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan);
        if (!verdict.IsYes) return verdict;
        var axis = map.Axis;
        if (!map.IsUniform && MovesAxes) axis = Axes(node, plan) is { } axes && axis < axes.Length ? axes[axis] : -1;
        if (axis < 0) return Lost(node);
        return InFrontOf(node, map, plan) is { } before ? plan.Behind(node, 0, before.At(axis)) : Lost(node);
    }

    public sealed override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as {OtherInputs}");
        var verdict = Check(node, map, plan);
        if (!verdict.IsYes) return verdict;
        var axis = map.Axis;
        if (!map.IsUniform && MovesAxes) axis = Axes(node, plan) is { } axes ? Array.IndexOf(axes, axis) : -1;
        if (axis < 0) return Lost(node);
        return BehindIt(node, map, plan) is { } behind ? plan.InFront(node.Output[0], behind.At(axis)) : Lost(node);
    }

    /// <summary>Whether channels may lie on another axis behind the operator than in front of it.</summary>
    protected virtual bool MovesAxes => false;

    /// <summary>What all inputs but the first are.</summary>
    protected virtual string OtherInputs => "a parameter";

    /// <summary>Whether the map passes.</summary>
    protected virtual Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) => Verdict.Yes;

    /// <summary>What is to be done to the input, so that the map is done to the output; null where that is not known.</summary>
    protected virtual ChannelMap? InFrontOf(NodeProto node, ChannelMap map, FoldPlan plan) => map;

    /// <summary>What is to be done to the output, where the map was done to the input; null where that is not known.</summary>
    protected virtual ChannelMap? BehindIt(NodeProto node, ChannelMap map, FoldPlan plan) => map;

    /// <summary>For each axis of the output the axis of the input that it was, or −1; null where that is not known.</summary>
    protected virtual int[]? Axes(NodeProto node, FoldPlan plan) => null;

    /// <summary>That the channels cannot be followed.</summary>
    protected virtual Verdict Lost(NodeProto node) => Verdict.No(
        $"where {node.Describe()} takes the channels is not known", $"the shapes around {node.Describe()} were declared");
}

/// <summary>Identity, and Dropout at inference, which does nothing either.</summary>
internal sealed class IdentityRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Identity", "Dropout"];

    // From opset 12 on a third input can switch Dropout to training; before 7 an attribute had to switch it to inference.
    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) =>
        node.OpType == "Dropout" && (node.InputAt(2).Length > 0 || (plan.Graph.Opset < 7 && node.Integer("is_test", 0) == 0))
            ? Verdict.No($"{node.Describe()} may be in training mode", "the model were exported for inference")
            : Verdict.Yes;
}

/// <summary>−(s·x + t) = s·(−x) − t: the shift changes its sign.</summary>
internal sealed class NegRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Neg"];

    protected override ChannelMap InFrontOf(NodeProto node, ChannelMap map, FoldPlan plan) => map.Negated();

    protected override ChannelMap BehindIt(NodeProto node, ChannelMap map, FoldPlan plan) => map.Negated();
}

/// <summary>
/// A Cast between types of real numbers: what is computed in front of it has the other type's digits, which the proof of the fold judges.
/// </summary>
internal sealed class CastRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Cast"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) => TensorData.IsReal((int)node.Integer("to", 0))
        ? Verdict.Yes
        : Verdict.No($"{node.Describe()} makes something else than real numbers");
}

/// <summary>
/// Resizing takes the nearest element, or weights that sum to 1: either commutes with a map of channels that are not resized. Only what
/// lies outside of the tensor, where a cut-out asks for it, is a constant that the shift does not reach.
/// </summary>
internal sealed class ResizeRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Resize", "Upsample"];

    protected override string OtherInputs => "a size";

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift && node.Text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize")
            return Verdict.No($"{node.Describe()} fills what lies outside with a constant, which the shift does not reach");
        // The weights of a cubic are exact in real numbers; those of a cut-off one are normalized.
        if (map.IsUniform || LeavesAlone(node, map.Axis, plan)) return Verdict.Yes;
        return Verdict.No($"{node.Describe()} resizes the channels, or may", $"the scales of {node.Describe()} were a constant");
    }

    private static bool LeavesAlone(NodeProto node, int axis, FoldPlan plan)
    {
        var graph = plan.Graph;
        var place = axis;
        if (node.Integers("axes") is { } axes)
        {
            if (graph.Shape(node.Input[0])?.Rank is not { } rank) return false;
            place = axes.Select(given => (int)(given < 0 ? given + rank : given)).ToList().IndexOf(axis);
            if (place < 0) return true;
        }

        var isNew = node.OpType == "Resize" && graph.Opset >= 11;
        if (node.Attribute("scales") is { } attribute) return place < attribute.Floats.Count && attribute.Floats[place] == 1;
        if (plan.Constant(node, isNew ? 2 : 1).Tensor is { Count: > 0 } scales)
            return place < scales.Count && scales.ToArray()[place] == 1;
        // Sizes: the same before and after means a scale of 1.
        return isNew && node.InputAt(3).Length > 0 && node.Text("keep_aspect_ratio_policy", "stretch") == "stretch"
            && graph.Contents(node.InputAt(3)) is { } sizes && place < sizes.Length && sizes[place].Size is { } size
            && graph.Shape(node.Input[0])?[axis].Size == size;
    }
}

/// <summary>Repeating axes of size 1 commutes with a map of another axis; the channels keep their place from the end.</summary>
internal sealed class ExpandRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Expand"];

    protected override bool MovesAxes => true;

    protected override string OtherInputs => "a shape";

    protected override int[]? Axes(NodeProto node, FoldPlan plan)
    {
        if (plan.Graph.Shape(node.Input[0]) is not { } from || plan.Graph.Shape(node.Output[0]) is not { } to) return null;
        var added = to.Rank - from.Rank;
        return [.. Enumerable.Range(0, to.Rank).Select(axis =>
            axis >= added && from[axis - added].Size is { } size && size == to[axis].Size ? axis - added : -1)];
    }

    protected override Verdict Lost(NodeProto node) =>
        Verdict.No($"{node.Describe()} repeats the channels, or may", $"the shapes around {node.Describe()} were declared");
}

/// <summary>
/// f(s·x) = s·f(x) for s ≥ 0: a scale without shift moves through a rectifier or a magnitude. Everything else does not.
/// </summary>
internal sealed class ReluRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Relu", "LeakyRelu", "PRelu", "Abs"];

    protected override string OtherInputs => "a slope";

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift)
            return Verdict.No($"{node.Describe()} is not linear, so a shift cannot pass it", "it only scaled (β = μ·γ/√(σ² + ε))");
        return map.KeepsOrder
            ? Verdict.Yes
            : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side", "no scale were negative");
    }
}

/// <summary>
/// A mean over locations commutes with a map of the channels: mean(s·x + t) = s·mean(x) + t. Zeros that are padded in and counted are the
/// exception: they would have to be t.
/// </summary>
internal sealed class AveragePoolRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["AveragePool", "GlobalAveragePool"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis > 1) return WrongAxis(node, map, "axis 1");
        var pads = node.Text("auto_pad", "NOTSET").StartsWith("SAME", StringComparison.Ordinal)
            || (node.Integers("pads")?.Any(pad => pad != 0) ?? false);
        // With ceil_mode the last window may hang over the border, and whether that part counts differs between runtimes.
        var counts = node.Integer("count_include_pad", 0) != 0 && (pads || node.Integer("ceil_mode", 0) != 0);
        return counts && map.HasShift
            ? Verdict.No($"{node.Describe()} counts padded zeros, which the shift does not reach", $"{node.Describe()} did not count them")
            : Verdict.Yes;
    }
}

/// <summary>max(s·x + t) = s·max(x) + t when s is positive (padding counts as minus infinity, so it never wins).</summary>
internal sealed class MaxPoolRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["MaxPool", "GlobalMaxPool"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis > 1) return WrongAxis(node, map, "axis 1");
        if (!map.KeepsStrictOrder)
            return Verdict.No($"a scale is not positive, and {node.Describe()} would pick another element", "all scales were positive");
        // Rounding may make two elements equal that were not, and another index would win.
        if (node.Output.Count > 1 && node.Output[1].Length > 0 && plan.Graph.IsUsed(node.Output[1]))
            return Verdict.No($"the indices that {node.Describe()} also gives are used", "nothing read the indices");
        return Verdict.Yes;
    }
}

/// <summary>Padding that repeats or mirrors elements commutes with a map; padding with zeros commutes with a scale.</summary>
internal sealed class PadRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Pad"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform)
        {
            var pads = node.Integers("pads") ?? node.Integers("paddings") ?? plan.Graph.Integers(node.InputAt(1));
            if (pads is null || node.InputAt(3).Length > 0 || map.Axis >= pads.Count / 2)
                return Verdict.No($"which axes {node.Describe()} pads is not known", "the pads were constants");
            if (pads[map.Axis] != 0 || pads[map.Axis + (pads.Count / 2)] != 0) return Verdict.No($"{node.Describe()} pads the channels");
        }

        if (node.Text("mode", "constant") is "edge" or "reflect" or "wrap") return Verdict.Yes;
        var value = node.InputAt(2).Length == 0
            ? node.Real("value", 0)
            : plan.Constant(node, 2).Tensor is { Count: 1 } given ? given.ToArray()[0] : double.NaN;
        return map.HasShift || value != 0
            ? Verdict.No(
                $"{node.Describe()} pads with a constant, which the map does not reach",
                "it padded by repeating or mirroring (edge, reflect), or there were no shift and the constant were 0")
            : Verdict.Yes;
    }
}

/// <summary>Axis i of the output is axis perm[i] of the input, and the channels go with it.</summary>
internal sealed class TransposeRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Transpose"];

    protected override bool MovesAxes => true;

    protected override int[]? Axes(NodeProto node, FoldPlan plan)
    {
        if (node.Integers("perm") is { } perm) return [.. perm.Select(axis => (int)(axis < 0 ? axis + perm.Count : axis))];
        return plan.Graph.Shape(node.Input[0]) is { } shape ? [.. Enumerable.Range(0, shape.Rank).Reverse()] : null;
    }
}

/// <summary>What reduces axes other than the channels: those that stay keep their map.</summary>
internal abstract class ReduceRule : PassingRule
{
    protected sealed override bool MovesAxes => true;

    protected sealed override string OtherInputs => "axes";

    protected sealed override int[]? Axes(NodeProto node, FoldPlan plan)
    {
        if (Reduced(node, plan) is not { } reduced) return null;
        var axes = Enumerable.Range(0, plan.Graph.Shape(node.Input[0])!.Rank);
        // What was reduced is 1, or gone.
        return node.Integer("keepdims", 1) != 0
            ? [.. axes.Select(axis => reduced.Contains(axis) ? -1 : axis)]
            : [.. axes.Where(axis => !reduced.Contains(axis))];
    }

    protected sealed override Verdict Lost(NodeProto node) => Verdict.No(
        $"{node.Describe()} reduces the channels, or may", $"it reduced other axes than the channels, and shapes and axes were declared");

    /// <summary>The axes that are reduced; null where they are not known.</summary>
    protected static HashSet<int>? Reduced(NodeProto node, FoldPlan plan)
    {
        if (plan.Graph.Shape(node.Input[0]) is not { } shape) return null;
        var given = node.InputAt(1).Length > 0 ? plan.Graph.Integers(node.InputAt(1)) : [.. node.Integers("axes") ?? []];
        // No axes means all of them, or none by an attribute.
        if (given is not { Length: > 0 }) return null;
        return given.Select(axis => (int)(axis < 0 ? axis + shape.Rank : axis)).ToHashSet();
    }
}

/// <summary>A mean over axes other than the channels commutes with a map: the form in which Keras exports global average pooling.</summary>
internal sealed class ReduceMeanRule : ReduceRule
{
    public override IReadOnlyList<string> Operators => ["ReduceMean"];
}

/// <summary>Σ(s·x + t) = s·Σx + n·t over n elements.</summary>
internal sealed class ReduceSumRule : ReduceRule
{
    public override IReadOnlyList<string> Operators => ["ReduceSum"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) =>
        map.HasShift && Count(node, plan) is not > 0
            ? Verdict.No(
                $"how many elements {node.Describe()} adds up is not known", $"the sizes that {node.Describe()} adds up were declared")
            : Verdict.Yes;

    protected override ChannelMap InFrontOf(NodeProto node, ChannelMap map, FoldPlan plan) =>
        map.HasShift ? map.WithShiftTimes(1 / Count(node, plan)!.Value) : map;

    protected override ChannelMap BehindIt(NodeProto node, ChannelMap map, FoldPlan plan) =>
        map.HasShift ? map.WithShiftTimes(Count(node, plan)!.Value) : map;

    private static double? Count(NodeProto node, FoldPlan plan)
    {
        if (Reduced(node, plan) is not { } reduced) return null;
        var shape = plan.Graph.Shape(node.Input[0])!;
        double count = 1;
        foreach (var axis in reduced)
        {
            if (axis < 0 || axis >= shape.Rank || shape[axis].Size is not { } size) return null;
            count *= size;
        }

        return count;
    }
}

/// <summary>max(s·x + t) = s·max(x) + t for s ≥ 0, and the same for min.</summary>
internal sealed class ReduceMaxRule : ReduceRule
{
    public override IReadOnlyList<string> Operators => ["ReduceMax", "ReduceMin"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) => map.KeepsOrder
        ? Verdict.Yes
        : Verdict.No($"a scale is negative, and {node.Describe()} would pick another element", "no scale were negative");
}

/// <summary>A map changes no shape, so whoever asks for that alone does not mind.</summary>
internal sealed class ShapeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Shape", "Size"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) => Verdict.No("a shape is not to be scaled");

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) => Verdict.Yes;
}

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
        if (map.IsUniform || !MovesAxes) return plan.Behind(node, 0, map);
        var before = Axes(node, plan) is { } axes && map.Axis < axes.Length ? axes[map.Axis] : -1;
        return before >= 0 ? plan.Behind(node, 0, map.At(before)) : Lost(node);
    }

    public sealed override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as {OtherInputs}");
        var verdict = Check(node, map, plan);
        if (!verdict.IsYes) return verdict;
        if (map.IsUniform || !MovesAxes) return plan.InFront(node.Output[0], map);
        var behind = Axes(node, plan) is { } axes ? Array.IndexOf(axes, map.Axis) : -1;
        return behind >= 0 ? plan.InFront(node.Output[0], map.At(behind)) : Lost(node);
    }

    /// <summary>Whether channels may lie on another axis behind the operator than in front of it.</summary>
    protected virtual bool MovesAxes => false;

    /// <summary>What all inputs but the first are.</summary>
    protected virtual string OtherInputs => "a parameter";

    /// <summary>Whether the map passes.</summary>
    protected virtual Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) => Verdict.Yes;

    /// <summary>For each axis of the output the axis of the input that it was, or −1; null where that is not known.</summary>
    protected virtual int[]? Axes(NodeProto node, FoldPlan plan) => null;

    /// <summary>That the channels cannot be followed.</summary>
    protected virtual Verdict Lost(NodeProto node) => Verdict.No($"where {node.Describe()} takes the channels is not known");
}

/// <summary>Identity, and Dropout at inference, which does nothing either.</summary>
internal sealed class IdentityRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Identity", "Dropout"];

    // From opset 12 on a third input can switch Dropout to training; before 7 an attribute had to switch it to inference.
    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan) =>
        node.OpType == "Dropout" && (node.InputAt(2).Length > 0 || (plan.Graph.Opset < 7 && node.Integer("is_test", 0) == 0))
            ? Verdict.No($"{node.Describe()} may be in training mode")
            : Verdict.Yes;
}

/// <summary>f(s·x) = s·f(x) for s ≥ 0: a scale without shift moves through a rectifier. Everything else does not.</summary>
internal sealed class ReluRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["Relu", "LeakyRelu"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift) return Verdict.No($"{node.Describe()} is not linear, so a shift cannot pass it");
        return map.KeepsOrder ? Verdict.Yes : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side");
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
        return counts && map.HasShift ? Verdict.No($"{node.Describe()} counts padded zeros, which the shift does not reach") : Verdict.Yes;
    }
}

/// <summary>max(s·x + t) = s·max(x) + t when s is positive (padding counts as minus infinity, so it never wins).</summary>
internal sealed class MaxPoolRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["MaxPool", "GlobalMaxPool"];

    protected override Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis > 1) return WrongAxis(node, map, "axis 1");
        if (!map.KeepsStrictOrder) return Verdict.No($"a scale is not positive, and {node.Describe()} would pick another element");
        // Rounding may make two elements equal that were not, and another index would win.
        if (node.Output.Count > 1 && node.Output[1].Length > 0 && plan.Graph.IsUsed(node.Output[1]))
            return Verdict.No($"the indices that {node.Describe()} also gives are used");
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
                return Verdict.No($"which axes {node.Describe()} pads is not known");
            if (pads[map.Axis] != 0 || pads[map.Axis + (pads.Count / 2)] != 0) return Verdict.No($"{node.Describe()} pads the channels");
        }

        if (node.Text("mode", "constant") is "edge" or "reflect" or "wrap") return Verdict.Yes;
        var value = node.InputAt(2).Length == 0
            ? node.Real("value", 0)
            : plan.Constant(node, 2).Tensor is { Count: 1 } given ? given.ToArray()[0] : double.NaN;
        return map.HasShift || value != 0
            ? Verdict.No($"{node.Describe()} pads with a constant, which the map does not reach")
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

/// <summary>A mean over axes other than the channels commutes with a map: the form in which Keras exports global average pooling.</summary>
internal sealed class ReduceMeanRule : PassingRule
{
    public override IReadOnlyList<string> Operators => ["ReduceMean"];

    protected override bool MovesAxes => true;

    protected override string OtherInputs => "axes";

    protected override int[]? Axes(NodeProto node, FoldPlan plan)
    {
        if (plan.Graph.Shape(node.Input[0]) is not { } shape) return null;
        var given = node.InputAt(1).Length > 0 ? plan.Graph.Integers(node.InputAt(1)) : [.. node.Integers("axes") ?? []];
        // No axes means all of them, or none by an attribute.
        if (given is not { Length: > 0 }) return null;
        var reduced = given.Select(axis => (int)(axis < 0 ? axis + shape.Rank : axis)).ToHashSet();
        var axes = Enumerable.Range(0, shape.Rank);
        // What was averaged over is 1, or gone.
        return node.Integer("keepdims", 1) != 0
            ? [.. axes.Select(axis => reduced.Contains(axis) ? -1 : axis)]
            : [.. axes.Where(axis => !reduced.Contains(axis))];
    }

    protected override Verdict Lost(NodeProto node) => Verdict.No($"{node.Describe()} averages over the channels, or may");
}

/// <summary>A map changes no shape, so whoever asks for that alone does not mind.</summary>
internal sealed class ShapeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Shape", "Size"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) => Verdict.No("a shape is not to be scaled");

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) => Verdict.Yes;
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// s·(a + b) + t = (s·a + t) + s·b: every branch takes the scale, one of them the shift. A constant branch takes in whatever it gets, so
/// behind "MatMul, Add" the matrix is scaled and the Add takes the rest. In front of a constant summand, s·x + t + c = s·(x + (t + c)/s):
/// the summand takes the shift, and the scale goes on. What is near zero before the scale stays near zero, so no digits are lost.
/// </summary>
internal sealed class AddRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Add", "Sub", "Sum"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        // Up to opset 6 a summand is aligned by attributes; only a plain sum of equals is followed there.
        if (plan.Graph.Opset < 7 && node.Integer("broadcast", 0) != 0)
            return Legacy.Broadcasts(node);
        if (plan.Rank(node.Output[0], map) is not { } rank) return UnknownRank(node.Output[0]);
        var constants = Enumerable.Range(0, node.Input.Count).Where(input => plan.Constant(node, input).Tensor is not null).ToArray();
        // A minus sign before the constant turns the shift round.
        var takesShift = constants.Length > 0 ? constants[0] : 0;
        for (var input = 0; input < node.Input.Count; input++)
        {
            var part = input == takesShift ? map : map.WithoutShift();
            if (node.OpType == "Sub" && input == 1 && input == takesShift)
                part = part with { Shift = Array.ConvertAll(part.Shift, value => -value) };
            var verdict = Branch.Map(node, input, part, rank, plan);
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (ConstantArithmetic.Read(node, plan, out var data) is not { } own || data != input || plan.Graph.Opset < 7)
            return Verdict.No(
                $"{node.Describe()} adds something to it that is not scaled", $"{node.Describe()} added a constant for each channel");
        if (!own.IsUniform && !map.IsUniform && (own.Axis != map.Axis || own.Count != map.Count)) return WrongCount(node, map, own.Count);
        var (axis, count) = own.IsUniform ? (map.Axis, map.Count) : (own.Axis, own.Count);
        var (summand, rest) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
        {
            // The node gives a·x + b with a = ±1. A channel that is scaled by 0 has nothing to divide by: its constant goes on as a shift.
            var total = (own.ScaleAt(i) * map.ShiftAt(i)) + own.ShiftAt(i);
            if (map.ScaleAt(i) == 0) rest[i] = total;
            else summand[i] = total / map.ScaleAt(i);
        }

        var operand = 1 - input;
        var type = plan.Constant(node, operand).Tensor!.Type;
        var values = node.OpType == "Sub" && operand == 1 ? Array.ConvertAll(summand, value => -value) : summand;
        var onward = new ChannelMap(axis, map.Scales(count), rest);
        if (plan.Rank(node.Output[0], onward) is not { } rank) return UnknownRank(node.Output[0]);
        plan.SetConstant(node, operand, RealTensor.Of(type, values, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }
}

/// <summary>
/// s·(a·b) = (s·a)·b: a scale without shift moves to either factor, or to the dividend. A map that meets a constant factor passes it:
/// k·(s·x + t) = s·(k·x) + k·t.
/// </summary>
internal sealed class MulRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Mul", "Div"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.HasShift)
            return Verdict.No($"{node.Describe()} can take in no shift", $"it only scaled, or {node.Describe()} were by a constant");
        if (plan.Graph.Opset < 7) return Legacy.Broadcasts(node);
        var first = plan.Try(() => MapOperand(node, 0, map, plan));
        if (first.IsYes || node.OpType == "Div") return first;
        var second = plan.Try(() => MapOperand(node, 1, map, plan));
        return second.IsYes ? second : first;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (node.OpType == "Div" && input == 1)
            return Verdict.No($"{node.Describe()} divides by it", $"{node.Describe()} divided it instead");
        if (plan.Graph.Opset < 7) return Legacy.Broadcasts(node);
        if (map.HasShift)
        {
            if (ConstantArithmetic.Read(node, plan, out var data) is not { } factor || data != input)
                return Verdict.No(
                    $"{node.Describe()} would multiply the shift", $"it only scaled, or {node.Describe()} multiplied by a constant");
            if (!factor.IsUniform && !map.IsUniform && (factor.Axis != map.Axis || factor.Count != map.Count))
                return WrongCount(node, map, factor.Count);
            var (axis, count) = factor.IsUniform ? (map.Axis, map.Count) : (factor.Axis, factor.Count);
            double[] shift = [.. Enumerable.Range(0, count).Select(i => factor.ScaleAt(i) * map.ShiftAt(i))];
            return plan.InFront(node.Output[0], new ChannelMap(axis, map.Scales(count), shift));
        }

        return HasChannels(node.Input[input], node, map, plan) ? plan.InFront(node.Output[0], map) : Broadcasts(node, input);
    }

    private static Verdict MapOperand(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (plan.Constant(node, input).Tensor is { } constant)
        {
            if (plan.Rank(node.Output[0], map) is not { } rank || !Broadcasting.Fits(map, constant, rank))
                return WrongCount(node, map, constant.Count);
            if (Broadcasting.Apply(map, constant, rank) is not { } mapped) return TooLarge(node);
            plan.SetConstant(node, input, mapped);
            return Verdict.Yes;
        }

        return HasChannels(node.Input[input], node, map, plan) ? plan.Behind(node, input, map) : Broadcasts(node, input);
    }

    private static Verdict Broadcasts(NodeProto node, int input) =>
        Verdict.No(
            $"'{node.Input[input]}' is broadcast by {node.Describe()}, or may be",
            $"the model declared that '{node.Input[input]}' has the shape of the result");

    private static bool HasChannels(string value, NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return true;
        var (shape, output) = (plan.Graph.Shape(value), plan.Graph.Shape(node.Output[0]));
        return shape is not null && output is not null && shape.Rank == output.Rank && shape[map.Axis].Size == map.Count;
    }
}

/// <summary>
/// max(s·x + t, c) = s·max(x, (c − t)/s) + t for s > 0, and the same for min: a bound moves into the unit of what it bounds. Behind, every
/// operand takes the map. A negative scale would make a max of a min.
/// </summary>
internal sealed class MaxMinRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Max", "Min"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan, out var rank);
        for (var input = 0; input < node.Input.Count && verdict.IsYes; input++) verdict = Branch.Map(node, input, map, rank, plan);
        return verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan, out var rank);
        if (!verdict.IsYes) return verdict;
        if (ConstantArithmetic.Operand(node, plan, out var data, out var axis) is not { } bound || data != input)
            return Verdict.No(
                $"{node.Describe()} compares it with something that is not scaled", $"{node.Describe()} compared it with a constant");
        if (bound.Length == 1) axis = map.Axis;
        else if (!map.IsUniform && (axis != map.Axis || bound.Length != map.Count)) return WrongCount(node, map, bound.Length);
        var count = Math.Max(bound.Length, map.Count);
        var (moved, shift) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
        {
            var (s, t, c) = (map.ScaleAt(i), map.ShiftAt(i), bound[bound.Length == 1 ? 0 : i]);
            // A channel that is scaled by 0 is t everywhere, so what comes out is known already.
            (moved[i], shift[i]) = s != 0 ? ((c - t) / s, t) : (0, node.OpType == "Max" ? Math.Max(t, c) : Math.Min(t, c));
        }

        var onward = new ChannelMap(axis, map.Scales(count), shift);
        if (plan.Rank(node.Output[0], onward) is null) return UnknownRank(node.Output[0]);
        var type = plan.Constant(node, 1 - input).Tensor!.Type;
        plan.SetConstant(node, 1 - input, RealTensor.Of(type, moved, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }

    private static Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan, out int rank)
    {
        rank = plan.Rank(node.Output[0], map) ?? -1;
        if (rank < 0) return UnknownRank(node.Output[0]);
        if (plan.Graph.Opset < 8)
            return Verdict.No($"{node.Describe()} does not broadcast before opset 8", "the operator set were 8 or later");
        return map.KeepsOrder
            ? Verdict.Yes
            : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side", "no scale were negative");
    }
}

/// <summary>
/// clip(s·x + t, l, h) = s·clip(x, (l − t)/s, (h − t)/s) + t, where a negative s exchanges the bounds: they move into the unit of what they
/// bound. Where they become different for each channel, a Max and a Min stand in the place of the Clip. Behind, s·clip(x, l, h) + t =
/// clip(s·x + t, s·l + t, s·h + t), as long as that stays a single operator.
/// </summary>
internal sealed class ClipRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Clip"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Read(node, map, plan, out var low, out var high, out var rank);
        if (!verdict.IsYes) return verdict;
        var (lows, highs) = (new double[map.Count], new double[map.Count]);
        for (var i = 0; i < map.Count; i++)
        {
            var (s, t) = (map.ScaleAt(i), map.ShiftAt(i));
            // Scaled by 0, everything is t.
            var (l, h) = s == 0 ? (t, t) : ((s * low) + t, (s * high) + t);
            (lows[i], highs[i]) = s < 0 ? (h, l) : (l, h);
        }

        verdict = Bound(node, map, lows, highs, rank, mayBeTwo: false, plan);
        return verdict.IsYes ? plan.Behind(node, 0, map) : verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a bound");
        var verdict = Read(node, map, plan, out var low, out var high, out var rank);
        if (!verdict.IsYes) return verdict;
        var (lows, highs, shift) = (new double[map.Count], new double[map.Count], new double[map.Count]);
        for (var i = 0; i < map.Count; i++)
        {
            var (s, t) = (map.ScaleAt(i), map.ShiftAt(i));
            // A channel that is scaled by 0 is t everywhere, so what comes out is known already.
            if (s == 0)
            {
                shift[i] = Math.Min(Math.Max(t, low), high);
                continue;
            }

            var (l, h) = ((low - t) / s, (high - t) / s);
            (lows[i], highs[i], shift[i]) = s < 0 ? (h, l, t) : (l, h, t);
        }

        verdict = Bound(node, map, lows, highs, rank, mayBeTwo: true, plan);
        return verdict.IsYes ? plan.InFront(node.Output[0], map with { Shift = shift }) : verdict;
    }

    private static Verdict Read(NodeProto node, ChannelMap map, FoldPlan plan, out double low, out double high, out int rank)
    {
        (low, high, rank) = (double.NegativeInfinity, double.PositiveInfinity, plan.Rank(node.Output[0], map) ?? -1);
        if (rank < 0) return UnknownRank(node.Output[0]);
        if (plan.Changes(node)) return Verdict.No($"{node.Describe()} is reached on two ways", "one way led to it");
        if (plan.Graph.Opset < 11)
        {
            // Its lowest bound is by default the lowest number there is.
            low = node.Attribute("min") is { F: > float.MinValue and var given } ? given : low;
            high = node.Attribute("max") is { F: < float.MaxValue and var most } ? most : high;
            return low <= high ? Verdict.Yes : Verdict.No($"the bounds of {node.Describe()} exclude each other");
        }

        foreach (var bound in new[] { 1, 2 })
        {
            if (node.InputAt(bound).Length == 0) continue;
            var lookup = plan.Constant(node, bound);
            if (lookup.Tensor is not { } tensor) return NotConstant(node, "bound", lookup);
            if (tensor.Count != 1) return Verdict.No($"a bound of {node.Describe()} has {tensor.Count} elements");
            var value = tensor.ToArray()[0];
            // The ends of the type are no bounds: PyTorch writes them where there is none.
            var isOpen = Math.Abs(value) >= ElementTypes.Of(tensor.Type).Largest;
            if (bound == 1 && !(isOpen && value < 0)) low = value;
            if (bound == 2 && !(isOpen && value > 0)) high = value;
        }

        return low <= high ? Verdict.Yes : Verdict.No($"the bounds of {node.Describe()} exclude each other");
    }

    private static Verdict Bound(
        NodeProto node, ChannelMap map, double[] lows, double[] highs, int rank, bool mayBeTwo, FoldPlan plan)
    {
        var graph = plan.Graph;
        var type = ElementTypeOf(node, plan);
        if (lows.All(value => value == lows[0]) && highs.All(value => value == highs[0]))
        {
            // Still one bound for all.
            foreach (var (bound, name, value) in new[] { (1, "min", lows[0]), (2, "max", highs[0]) })
            {
                if (double.IsInfinity(value) && graph.Opset >= 11 && node.InputAt(bound).Length == 0) continue;
                var most = ElementTypes.Of(type).Largest!.Value;
                var written = Math.Clamp(value, -most, most);
                if (graph.Opset >= 11) plan.SetConstant(node, bound, RealTensor.Of(type, [written]));
                else plan.SetAttribute(node, ((NodeArgument)(name, (float)written)).Proto);
            }

            plan.Absorb(node);
            return Verdict.Yes;
        }

        var hasLow = !lows.All(double.IsNegativeInfinity);
        var hasHigh = !highs.All(double.IsPositiveInfinity);
        if (hasLow && hasHigh && !mayBeTwo)
            return Verdict.No(
                $"{node.Describe()} would become two operators, a Max and a Min", "scale and shift were the same for all channels");
        if (graph.Opset < 8)
            return Verdict.No(
                $"{node.Describe()} would become a Max and a Min, which do not broadcast before opset 8",
                "the operator set were 8 or later");
        if (graph.Opset < 11 && graph.Nodes.Any(other => other.Is("Cast")))
            return Verdict.No($"the element type of {node.Describe()} is not known", "the operator set were 11 or later");
        var shape = Broadcasting.OnAxis(map, rank);
        var chain = new List<(string, RealTensor)>();
        if (hasLow) chain.Add(("Max", RealTensor.Of(type, Finite(lows, type), shape)));
        if (hasHigh) chain.Add(("Min", RealTensor.Of(type, Finite(highs, type), shape)));
        plan.Replace(node, [.. chain]);
        return Verdict.Yes;
    }

    // A bound that is open in some channels only is the end of the type there.
    private static double[] Finite(double[] values, DataType type)
    {
        var most = ElementTypes.Of(type).Largest!.Value;
        return Array.ConvertAll(values, value => double.IsInfinity(value) ? Math.Clamp(value, -most, most) : value);
    }

    private static DataType ElementTypeOf(NodeProto node, FoldPlan plan) =>
        plan.Constant(node, 1).Tensor?.Type ?? plan.Constant(node, 2).Tensor?.Type ?? plan.Type;
}

/// <summary>How operators broadcast up to opset 6.</summary>
internal static class Legacy
{
    public static Verdict Broadcasts(NodeProto node) =>
        Verdict.No($"{node.Describe()} broadcasts the way of opset 6", "the operator set were 7 or later");
}

/// <summary>One operand of an operator that joins several of one shape, on its way to becoming map(operand).</summary>
internal static class Branch
{
    /// <summary>Changes the operand when it is a constant, and hands the map on to what makes it otherwise.</summary>
    /// <param name="node">The operator.</param>
    /// <param name="input">Which operand.</param>
    /// <param name="map">The map, on the axes of the operator's output.</param>
    /// <param name="rank">How many of them there are.</param>
    /// <param name="plan">What would change.</param>
    public static Verdict Map(NodeProto node, int input, ChannelMap map, int rank, FoldPlan plan)
    {
        if (plan.Constant(node, input).Tensor is { } constant)
        {
            if (!Broadcasting.Fits(map, constant, rank))
                return Verdict.No(
                    $"there are {map.Count} channels, but {node.Describe()} has {constant.Count}",
                    $"the constant of {node.Describe()} had one element for each channel");
            if (Broadcasting.Apply(map, constant, rank) is not { } mapped)
                return Verdict.No(
                    $"the constant of {node.Describe()} would be multiplied out to many times its size",
                    $"the constant of {node.Describe()} had the channels as its only axis");
            plan.SetConstant(node, input, mapped);
            return Verdict.Yes;
        }

        // A branch that is broadcast along the channels has no channels of its own to scale.
        if (map.IsUniform && !map.HasShift) return plan.Behind(node, input, map);
        var shape = plan.Graph.Shape(node.Input[input]);
        if (shape?.Rank != rank || (!map.IsUniform && shape[map.Axis].Size != map.Count))
            return Verdict.No(
                $"'{node.Input[input]}' of shape {shape?.ToString() ?? "that is not known"} is broadcast by {node.Describe()}, or may be",
                $"the model declared that '{node.Input[input]}' has the shape of the result");
        return plan.Behind(node, input, map);
    }
}

/// <summary>
/// y = a·(x − μ) + β with a = γ / √(σ² + ε). Only γ and β change, so the composed map is as exact as each. Behind: γ' = s·γ, β' = s·β + t.
/// In front: γ' = γ·s, β' = β + a·(t − μ) + a·s·μ.
/// </summary>
internal sealed class BatchNormalizationRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["BatchNormalization"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) =>
        Compose(node, map, plan, (gamma, beta, _, _, s, t) => (s * gamma, (s * beta) + t));

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) =>
        input != 0
            ? Verdict.No($"{node.Describe()} reads it as a parameter")
            : Compose(node, map, plan, (gamma, beta, a, mean, s, t) => (gamma * s, beta + (a * (t - mean)) + (a * s * mean)));

    private static Verdict Compose(NodeProto node, ChannelMap map, FoldPlan plan, Composition compose)
    {
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var verdict = BatchNormReader.Read(node, plan, out var own);
        if (!verdict.IsYes) return Verdict.No($"{node.Describe()} cannot be changed: {verdict.Reason}", verdict.Unless);
        if (!map.Fits(own.Count)) return WrongCount(node, map, own.Count);
        var (scale, bias) = (plan.Constant(node, 1).Tensor!, plan.Constant(node, 2).Tensor!);
        var (gamma, beta, mean) = (scale.ToArray(), bias.ToArray(), plan.Constant(node, 3).Tensor!.ToArray());
        for (var c = 0; c < gamma.Length; c++)
            (gamma[c], beta[c]) = compose(gamma[c], beta[c], own.Scale[c], mean[c], map.ScaleAt(c), map.ShiftAt(c));
        plan.SetConstant(node, 1, RealTensor.Of(scale.Type, gamma, gamma.Length));
        plan.SetConstant(node, 2, RealTensor.Of(bias.Type, beta, beta.Length));
        return Verdict.Yes;
    }

    private delegate (double Gamma, double Beta) Composition(double gamma, double beta, double a, double mean, double s, double t);
}

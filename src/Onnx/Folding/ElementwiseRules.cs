using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

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
            return Verdict.No($"{node.Describe()} broadcasts the way of opset 6");
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank)
            return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
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
            return Verdict.No($"{node.Describe()} adds something to it that is not scaled");
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
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank)
            return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        plan.SetConstant(node, operand, RealTensor.Of(type, values, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }
}

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
            return Verdict.No($"{node.Describe()} compares it with something that is not scaled");
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
        var type = plan.Constant(node, 1 - input).Tensor!.Type;
        plan.SetConstant(node, 1 - input, RealTensor.Of(type, moved, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }

    private static Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan, out int rank)
    {
        rank = plan.Graph.Shape(node.Output[0])?.Rank ?? -1;
        if (rank < 0) return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        if (plan.Graph.Opset < 8) return Verdict.No($"{node.Describe()} does not broadcast before opset 8");
        return map.KeepsOrder ? Verdict.Yes : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side");
    }
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
                return Verdict.No($"there are {map.Count} channels, but {node.Describe()} has {constant.Count}");
            plan.SetConstant(node, input, Broadcasting.Apply(map, constant, rank));
            return Verdict.Yes;
        }

        // A branch that is broadcast along the channels has no channels of its own to scale.
        if (map.IsUniform && !map.HasShift) return plan.Behind(node, input, map);
        var shape = plan.Graph.Shape(node.Input[input]);
        if (shape?.Rank != rank || (!map.IsUniform && shape[map.Axis].Size != map.Count))
            return Verdict.No(
                $"'{node.Input[input]}' of shape {shape?.ToString() ?? "that is not known"} is broadcast by {node.Describe()}, or may be");
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
        if (!verdict.IsYes) return Verdict.No($"{node.Describe()} cannot be changed: {verdict.Reason}");
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

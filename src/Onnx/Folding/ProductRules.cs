using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using AttributeType = MlNetBatchNorm.Onnx.Proto.AttributeProto.Types.AttributeType;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// Y = α·A'·B' + β·C with A' = [M, K] and B' = [K, N] after transA and transB. Behind: the columns of B' are scaled, C' = s·β·C + t. In
/// front: the rows of B' are scaled, C' = β·C + α·t·B'. β becomes 1 either way. C may be absent, or [], [1], [N], [1, N], [M, 1], [M, N].
/// </summary>
internal sealed class GemmRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Gemm"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { Rank: 2 } b) return NotConstant(node, "matrix B", weights);
        var columns = node.Integer("transB", 0) != 0 ? 0 : 1;
        if (!map.Fits(b.Shape[columns])) return WrongCount(node, map, b.Shape[columns]);
        var count = (int)b.Shape[columns];
        var verdict = SetSummand(node, plan, b, map.Scales(count), map.Shifts(count));
        if (verdict.IsYes) plan.SetConstant(node, 1, b.ScaledAlong(columns, map.Scales(count)));
        return verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as its {(input == 1 ? "matrix B" : "summand C")}");
        var inner = node.Integer("transA", 0) != 0 ? 0 : 1;
        if (!map.IsUniform && map.Axis != inner) return WrongAxis(node, map, $"axis {inner}");
        var weights = plan.Constant(node, 1);
        if (weights.Tensor is not { Rank: 2 } b) return NotConstant(node, "matrix B", weights);
        var transposed = node.Integer("transB", 0) != 0;
        var rows = transposed ? 1 : 0;
        if (!map.Fits(b.Shape[rows])) return WrongCount(node, map, b.Shape[rows]);
        var count = (int)b.Shape[rows];
        if (map.HasShift)
        {
            var added = transposed
                ? b.Contract(1, b.Shape[0], b.Shape[1], 1, map.Shifts(count), keepInner: false)
                : b.Contract(1, 1, b.Shape[0], b.Shape[1], map.Shifts(count), keepInner: true);
            double alpha = node.Real("alpha", 1);
            for (var n = 0; n < added.Length; n++) added[n] *= alpha;
            var verdict = SetSummand(node, plan, b, null, added);
            if (!verdict.IsYes) return verdict;
        }

        plan.SetConstant(node, 1, b.ScaledAlong(rows, map.Scales(count)));
        return Verdict.Yes;
    }

    private static Verdict SetSummand(NodeProto node, FoldPlan plan, RealTensor b, double[]? scale, double[] shift)
    {
        var lookup = plan.Constant(node, 2);
        double beta = plan.Real(node, "beta", 1);
        var given = node.InputAt(2).Length > 0 || lookup.Tensor is not null;
        if (!given && !Array.Exists(shift, value => value != 0)) return Verdict.Yes;
        var row = RealTensor.Of(b.Type, shift, shift.Length);
        if (given && lookup.Tensor is not null)
        {
            // β = 0 switches C off, whatever it holds.
            var scaled = scale is null
                ? RealTensor.Of(b.Type, [beta])
                : RealTensor.Of(b.Type, Array.ConvertAll(scale, s => s * beta), scale.Length);
            var c = beta == 0 ? null : Broadcasting.Combine(lookup.Tensor, scaled, static (x, y) => x * y);
            if (beta != 0 && c is null) return TooLarge(node);
            var sum = c is null ? row : Broadcasting.Combine(c, row, static (x, y) => x + y);
            if (sum is null) return TooLarge(node);
            plan.SetConstant(node, 2, sum);
        }
        else if (given && scale is not null)
        {
            return NotConstant(node, "summand C", lookup);
        }
        else if (given)
        {
            plan.AddBehind(node, row);
            return Verdict.Yes;
        }
        else
        {
            plan.SetConstant(node, 2, row);
        }

        if (node.Attribute("beta") is not null)
            plan.SetAttribute(node, new AttributeProto { Name = "beta", Type = AttributeType.Float, F = 1 });
        foreach (var attribute in FoldPlan.LegacyBroadcast(plan.Graph.Opset)) plan.SetAttribute(node, attribute);
        return Verdict.Yes;
    }
}

/// <summary>
/// Y = X·W with W of shape […, K, N], or Y = W·X with W of shape […, M, K]. The product has no summand, so a shift goes into the constant
/// Add behind it, or into a new one. Channels must lie on the axis that W makes (behind) or consumes (in front), which takes a known rank.
/// </summary>
internal sealed class MatMulRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["MatMul"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindWeights(node, plan, out var side, out var w);
        if (!verdict.IsYes) return verdict;
        var axis = side == 1 ? w.Rank - 1 : w.Rank - 2;
        if (!map.IsUniform)
        {
            if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank) return UnknownRank(node.Output[0]);
            var expected = side == 1 ? rank - 1 : rank - 2;
            if (map.Axis != expected) return WrongAxis(node, map, $"axis {expected}");
            if (map.Count != w.Shape[axis]) return WrongCount(node, map, w.Shape[axis]);
        }

        var count = (int)w.Shape[axis];
        if (map.HasShift && side == 0 && plan.Graph.Opset < 7) return NoColumn(node);
        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scales(count)));
        if (map.HasShift)
            plan.AddBehind(
                node, side == 1 ? RealTensor.Of(w.Type, map.Shifts(count), count) : RealTensor.Of(w.Type, map.Shifts(count), count, 1));
        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = FindWeights(node, plan, out var side, out var w);
        if (!verdict.IsYes) return verdict;
        if (side == input) return Verdict.No($"{node.Describe()} reads it as a weight");
        if (plan.Graph.Shape(node.Input[input])?.Rank is not { } rank) return UnknownRank(node.Input[input]);
        if (rank < 2) return Verdict.No($"'{node.Input[input]}' has one dimension");
        var axis = side == 1 ? w.Rank - 2 : w.Rank - 1;
        if (!map.IsUniform)
        {
            var expected = side == 1 ? rank - 1 : rank - 2;
            if (map.Axis != expected) return WrongAxis(node, map, $"axis {expected}");
            if (map.Count != w.Shape[axis]) return WrongCount(node, map, w.Shape[axis]);
        }

        var count = (int)w.Shape[axis];
        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scales(count)));
        if (!map.HasShift) return Verdict.Yes;
        if (plan.Graph.Opset < 7 && (side == 0 || w.Rank > 2)) return NoColumn(node);
        var (batch, m, n) = (w.Product(0, w.Rank - 2), w.Shape[^2], w.Shape[^1]);
        var added = side == 1
            ? w.Contract(1, batch, m, n, map.Shifts(count), keepInner: true)
            : w.Contract(1, batch * m, n, 1, map.Shifts(count), keepInner: false);
        var leading = w.Shape.Take(w.Rank - 2);
        long[] shape = side == 1 ? w.Rank == 2 ? [n] : [.. leading, 1, n] : [.. leading, m, 1];
        plan.AddBehind(node, RealTensor.Of(w.Type, added, shape));
        return Verdict.Yes;
    }

    private static Verdict NoColumn(NodeProto node) =>
        Verdict.No(
            $"behind {node.Describe()} the shift is no row, and up to opset 6 an Add broadcasts nothing else",
            "the operator set were 7 or later");

    private static Verdict FindWeights(NodeProto node, FoldPlan plan, out int side, out RealTensor weights)
    {
        side = 1;
        weights = null!;
        var right = plan.Constant(node, 1);
        if (right.Tensor is not { } w)
        {
            side = 0;
            var left = plan.Constant(node, 0);
            if (left.Tensor is not { } other)
                return Verdict.No(
                    $"neither operand of {node.Describe()} is constant: {right.Reason}; {left.Reason}",
                    $"one operand of {node.Describe()} were a constant");
            w = other;
        }

        if (w.Rank < 2) return Verdict.No($"the weight of {node.Describe()} is a vector");
        weights = w;
        return Verdict.Yes;
    }
}

/// <summary>
/// A product of a constant and a tensor in Einstein's notation: a map on an axis that the constant has scales the constant along it.
/// Behind, the shift goes into an Add; in front, what it adds is summed over all that the product sums over.
/// </summary>
internal sealed class EinsumRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Einsum"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Find(node, plan, out var side, out var w, out var equation);
        if (!verdict.IsYes) return verdict;
        var labels = equation.Operands[side];
        var rank = equation.Output.Length;
        if (map.IsUniform)
        {
            // A factor reaches all products through any axis of the constant.
            if (w.Rank == 0 || map.HasShift) return Verdict.No($"{node.Describe()} has no axis for {map.Count} channels");
            plan.SetConstant(node, side, w.ScaledAlong(0, map.Scales((int)w.Shape[0])));
            return Verdict.Yes;
        }

        var axis = map.Axis < rank ? Array.IndexOf(labels, equation.Output[map.Axis]) : -1;
        if (axis < 0)
            return NoChannels(node);
        if (w.Shape[axis] != map.Count) return WrongCount(node, map, w.Shape[axis]);
        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scale));
        if (map.HasShift) plan.AddBehind(node, RealTensor.Of(w.Type, map.Shift, Broadcasting.OnAxis(map, rank)));
        return Verdict.Yes;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = Find(node, plan, out var side, out var w, out var equation);
        if (!verdict.IsYes) return verdict;
        if (side == input) return Verdict.No($"{node.Describe()} reads it as a weight");
        var (labels, data) = (equation.Operands[side], equation.Operands[input]);
        if (map.IsUniform && !map.HasShift && w.Rank > 0)
        {
            plan.SetConstant(node, side, w.ScaledAlong(0, map.Scales((int)w.Shape[0])));
            return Verdict.Yes;
        }

        var label = !map.IsUniform && map.Axis < data.Length ? data[map.Axis] : 0;
        var axis = Array.IndexOf(labels, label);
        if (label == 0 || axis < 0)
            return NoChannels(node);
        if (w.Shape[axis] != map.Count) return WrongCount(node, map, w.Shape[axis]);
        if (map.HasShift)
        {
            // What is summed over and is no axis of the constant would count the shift as often as it is long.
            if (data.Any(other => !labels.Contains(other) && !equation.Output.Contains(other)))
                return Verdict.No($"{node.Describe()} also sums over axes that its constant does not have", "it summed over no others");
            plan.AddBehind(node, Added(w, labels, axis, map, equation));
        }

        plan.SetConstant(node, side, w.ScaledAlong(axis, map.Scale));
        return Verdict.Yes;
    }

    private static Verdict NoChannels(NodeProto node) => Verdict.No(
        $"the constant of {node.Describe()} does not have the channels", $"the constant of {node.Describe()} had an axis for the channels");

    // Σ w·t over the axes that are summed, along those axes of the result that the constant has, in their order.
    private static RealTensor Added(RealTensor w, int[] labels, int axis, ChannelMap map, EinsumEquation equation)
    {
        var shape = new long[equation.Output.Length];
        var strides = new long[labels.Length];
        long stride = 1;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var own = Array.IndexOf(labels, equation.Output[i]);
            shape[i] = own < 0 ? 1 : w.Shape[own];
            if (own >= 0) strides[own] = stride;
            stride *= shape[i];
        }

        var (result, weights) = (new double[stride], w.ToArray());
        for (var i = 0; i < weights.Length; i++)
        {
            var (rest, target, channel) = ((long)i, 0L, 0L);
            for (var a = labels.Length - 1; a >= 0; a--)
            {
                var index = rest % w.Shape[a];
                rest /= w.Shape[a];
                target += index * strides[a];
                if (a == axis) channel = index;
            }

            result[target] += weights[i] * map.Shift[channel];
        }

        return RealTensor.Of(w.Type, result, shape);
    }

    private static Verdict Find(NodeProto node, FoldPlan plan, out int side, out RealTensor weights, out EinsumEquation equation)
    {
        (side, weights, equation) = (1, null!, null!);
        if (node.Input.Count != 2) return Verdict.No($"{node.Describe()} has {node.Input.Count} operands", "it had two");
        var right = plan.Constant(node, 1);
        if (right.Tensor is not { } w)
        {
            side = 0;
            if (plan.Constant(node, 0).Tensor is not { } left) return NotConstant(node, "operand", right);
            w = left;
        }

        weights = w;
        var ranks = node.Input.Select(value => plan.Graph.Shape(value)?.Rank).ToArray();
        if (EinsumEquation.Parse(node.Text("equation", string.Empty), ranks) is not { } parsed
            || parsed.Operands.Append(parsed.Output).Any(labels => labels.Distinct().Count() != labels.Length))
            return Verdict.No($"the equation of {node.Describe()} cannot be followed", "each letter stood once in each operand");
        equation = parsed;
        return equation.Operands[side].Length == w.Rank
            ? Verdict.Yes
            : Verdict.No($"the equation of {node.Describe()} does not fit its constant");
    }
}

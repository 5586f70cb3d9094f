using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// s·(a + b) + t = (s·a + t) + s·b: every branch takes the scale, one of them the shift. A constant branch takes in whatever it gets, so behind
/// "MatMul, Add" the matrix is scaled and the Add takes the rest. In front of a constant summand, s·x + t + c = s·(x + (t + c)/s): the summand
/// takes the shift, and the scale goes on. What is near zero before the scale stays near zero, so no digits are lost.
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
        if (plan.Graph.Shape(node.Output[0])?.Rank is not { } rank) return Verdict.No($"the number of dimensions of '{node.Output[0]}' is not known");
        plan.SetConstant(node, operand, RealTensor.Of(type, values, Broadcasting.OnAxis(onward, rank)));
        return plan.InFront(node.Output[0], onward);
    }
}

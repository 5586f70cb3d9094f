using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using AttributeType = MlNetBatchNorm.Onnx.Proto.AttributeProto.Types.AttributeType;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// Y = α·A'·B' + β·C with A' = [M, K] and B' = [K, N] after transA and transB. Behind: the columns of B' are scaled, C' = s·β·C + t. In front:
/// the rows of B' are scaled, C' = β·C + α·t·B'. β becomes 1 either way. C may be absent, or [], [1], [N], [1, N], [M, 1], [M, N].
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
            if (beta != 0 && c is null) return Verdict.No($"C of {node.Describe()} does not fit {shift.Length} columns");
            var sum = c is null ? row : Broadcasting.Combine(c, row, static (x, y) => x + y);
            if (sum is null) return Verdict.No($"C of {node.Describe()} does not fit {shift.Length} columns");
            plan.SetConstant(node, 2, sum);
        }
        else if (given && scale is not null)
        {
            return Verdict.No($"the summand C of {node.Describe()} cannot be changed: {lookup.Reason}");
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

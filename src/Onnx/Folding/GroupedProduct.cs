using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// Products by group, as the members of an ensemble have them: X [G, N, K] · W [G, K, C], transposed to [N, G, C] and joined to [N, G·C].
/// The channels that stand on one axis behind the join are two axes of W: W'[g, k, c] = W[g, k, c]·s[g·C + c], and the shift goes behind
/// the join.
/// </summary>
internal static class GroupedProduct
{
    /// <summary>Takes a map behind the join into the product; null where what is joined is no such product.</summary>
    /// <param name="join">The reshape that joins the groups.</param>
    /// <param name="map">The map on its output.</param>
    /// <param name="plan">Takes the changes.</param>
    public static Verdict? Behind(NodeProto join, ChannelMap map, FoldPlan plan)
    {
        var graph = plan.Graph;
        if (map.IsUniform || map.Axis != 1 || graph.Shape(join.Output[0])?.Rank != 2) return null;
        if (graph.Producer(join.Input[0]) is not { } transpose || !transpose.Is("Transpose")) return null;
        if (transpose.Integers("perm") is not [1, 0, 2]) return null;
        if (graph.Producer(transpose.Input[0]) is not { } product || !product.Is("MatMul")) return null;
        if (plan.Constant(product, 1).Tensor is not { Rank: 3 } w || graph.Shape(product.Input[0])?.Rank != 3) return null;
        if (w.Shape[0] * w.Shape[2] != map.Count || graph.Shape(join.Output[0])!.Dimensions[1].Size != map.Count) return null;
        foreach (var (value, reader) in new[] { (join.Input[0], join), (transpose.Input[0], transpose) })
        {
            if (graph.WhyOthersRead(value, reader, 0, _ => false) is { } others)
                return Verdict.No(others, $"nothing else read '{value}'");
            plan.Touch(value);
        }

        plan.SetConstant(product, 1, w.Scaled(w.Shape[0], w.Shape[1], w.Shape[2], 1, map.Scale));
        if (map.HasShift) plan.AddBehind(join, RealTensor.Of(w.Type, map.Shift, map.Count));
        return Verdict.Yes;
    }
}

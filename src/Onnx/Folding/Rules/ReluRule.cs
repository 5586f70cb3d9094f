using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>f(s·x) = s·f(x) for s ≥ 0: a scale without shift moves through a rectifier. Everything else does not.</summary>
internal sealed class ReluRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Relu", "LeakyRelu"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map);
        return verdict.IsYes ? plan.Behind(node, 0, map) : verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map);
        return verdict.IsYes ? plan.InFront(node.Output[0], map) : verdict;
    }

    private static Verdict Check(NodeProto node, ChannelMap map)
    {
        if (map.HasShift) return Verdict.No($"{node.Describe()} is not linear, so a shift cannot pass it");
        return map.KeepsOrder ? Verdict.Yes : Verdict.No($"a scale is negative, and {node.Describe()} would cut the other side");
    }
}

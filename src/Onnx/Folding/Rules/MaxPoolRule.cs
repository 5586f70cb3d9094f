using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>max(s·x + t) = s·max(x) + t when s is positive (padding counts as minus infinity, so it never wins).</summary>
internal sealed class MaxPoolRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["MaxPool", "GlobalMaxPool"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan);
        return verdict.IsYes ? plan.Behind(node, 0, map) : verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan);
        return verdict.IsYes ? plan.InFront(node.Output[0], map) : verdict;
    }

    private static Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform && map.Axis > 1) return WrongAxis(node, map, "axis 1");
        if (!map.KeepsStrictOrder) return Verdict.No($"a scale is not positive, and {node.Describe()} would pick another element");
        // Rounding may make two elements equal that were not, and another index would win.
        if (node.Output.Count > 1 && node.Output[1].Length > 0 && (plan.Graph.Readers(node.Output[1]).Count > 0 || plan.Graph.IsOutput(node.Output[1])))
            return Verdict.No($"the indices that {node.Describe()} also gives are used");
        return Verdict.Yes;
    }
}

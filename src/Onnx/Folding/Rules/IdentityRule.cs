using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>Identity, and Dropout at inference, which does nothing either.</summary>
internal sealed class IdentityRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Identity", "Dropout"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, plan);
        return verdict.IsYes ? plan.Behind(node, 0, map) : verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a parameter");
        var verdict = Check(node, plan);
        return verdict.IsYes ? plan.InFront(node.Output[0], map) : verdict;
    }

    // From opset 12 on a third input can switch Dropout to training; before 7 an attribute had to switch it to inference.
    private static Verdict Check(NodeProto node, FoldPlan plan)
    {
        if (node.OpType == "Identity") return Verdict.Yes;
        if (node.InputAt(2).Length > 0 || (plan.Graph.Opset < 7 && node.Integer("is_test", 0) == 0))
            return Verdict.No($"{node.Describe()} may be in training mode");
        return Verdict.Yes;
    }
}

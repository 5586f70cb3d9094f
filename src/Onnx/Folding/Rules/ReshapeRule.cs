using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// Elements keep their order and get other axes. The channels can be followed where the sizes around them are known: [N, C, 1, 1] to [N, C] in
/// both directions; [N, C, H, W] to [N, C·H·W] forwards, where every channel becomes H·W neighbours.
/// </summary>
internal sealed class ReshapeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Reshape", "Flatten", "Squeeze", "Unsqueeze"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (map.IsUniform) return plan.Behind(node, 0, map);
        if (Follow(node.Output[0], node.Input[0], map, plan) is not { } moved) return Lost(node, map);
        return plan.Behind(node, 0, moved);
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        if (input != 0) return Verdict.No($"{node.Describe()} reads it as a shape");
        if (map.IsUniform) return plan.InFront(node.Output[0], map);
        if (Follow(node.Input[0], node.Output[0], map, plan) is not { } moved) return Lost(node, map);
        return plan.InFront(node.Output[0], moved);
    }

    private static Verdict Lost(NodeProto node, ChannelMap map) =>
        Verdict.No($"the {map.Count} channels cannot be followed through {node.Describe()}");

    private static ChannelMap? Follow(string from, string to, ChannelMap map, FoldPlan plan)
    {
        if (plan.Graph.Shape(from) is not { } source || plan.Graph.Shape(to) is not { } target || map.Axis >= source.Rank) return null;
        return ReshapeAxes.Follow(source, target, map);
    }
}

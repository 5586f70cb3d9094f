using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>Padding that repeats or mirrors elements commutes with a map; padding with zeros commutes with a scale.</summary>
internal sealed class PadRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Pad"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        var verdict = Check(node, map, plan);
        return verdict.IsYes ? plan.Behind(node, 0, map) : verdict;
    }

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan)
    {
        var verdict = input == 0 ? Check(node, map, plan) : Verdict.No($"{node.Describe()} reads it as a parameter");
        return verdict.IsYes ? plan.InFront(node.Output[0], map) : verdict;
    }

    private static Verdict Check(NodeProto node, ChannelMap map, FoldPlan plan)
    {
        if (!map.IsUniform)
        {
            var pads = node.Integers("pads") ?? node.Integers("paddings") ?? plan.Graph.Integers(node.InputAt(1));
            if (pads is null || node.InputAt(3).Length > 0 || map.Axis >= pads.Count / 2)
                return Verdict.No($"which axes {node.Describe()} pads is not known");
            if (pads[map.Axis] != 0 || pads[map.Axis + (pads.Count / 2)] != 0) return Verdict.No($"{node.Describe()} pads the channels");
        }

        if (node.Text("mode", "constant") is "edge" or "reflect" or "wrap") return Verdict.Yes;
        var value = node.InputAt(2).Length == 0
            ? node.Real("value", 0)
            : plan.Constant(node, 2).Tensor is { Count: 1 } given ? given.ToArray()[0] : double.NaN;
        return map.HasShift || value != 0
            ? Verdict.No($"{node.Describe()} pads with a constant, which the map does not reach")
            : Verdict.Yes;
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// A mean over locations commutes with a map of the channels: mean(s·x + t) = s·mean(x) + t. Zeros that are padded in and counted are the
/// exception: they would have to be t.
/// </summary>
internal sealed class AveragePoolRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["AveragePool", "GlobalAveragePool"];

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
        if (!map.IsUniform && map.Axis > 1) return WrongAxis(node, map, "axis 1");
        var pads = node.Text("auto_pad", "NOTSET").StartsWith("SAME", StringComparison.Ordinal) || (node.Integers("pads")?.Any(pad => pad != 0) ?? false);
        // With ceil_mode the last window may hang over the border, and whether that part counts differs between runtimes.
        var counts = node.Integer("count_include_pad", 0) != 0 && (pads || node.Integer("ceil_mode", 0) != 0);
        return counts && map.HasShift ? Verdict.No($"{node.Describe()} counts padded zeros, which the shift does not reach") : Verdict.Yes;
    }
}

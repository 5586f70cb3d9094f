using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>A map changes no shape, so whoever asks for that alone does not mind.</summary>
internal sealed class ShapeRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["Shape", "Size"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) => Verdict.No("a shape is not to be scaled");

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) => Verdict.Yes;
}

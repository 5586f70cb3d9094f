using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>x itself: no node at all.</summary>
internal sealed record IdentityActivation : Activation
{
    public override string Kind => "identity";

    public override Value Forward(GraphBuilder nodes, Value x) => x;

    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) => dy;
}

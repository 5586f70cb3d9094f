using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>log(1 + e^x), a smooth relu.</summary>
internal sealed record SoftplusActivation : Activation
{
    public override string Kind => "softplus";

    public override bool IsRectifier => true;

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Softplus", [x]);

    // f′ = σ(x).
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
        nodes.Named("dx", "Mul", [dy, nodes.Node("Sigmoid", [x])]);
}

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>The hyperbolic tangent.</summary>
internal sealed record TanhActivation : Activation
{
    public override string Kind => "tanh";

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Tanh", [x]);

    // f′ = 1 − y².
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
        nodes.Named("dx", "Mul", [dy, nodes.Node("Sub", [nodes.Constant(1), nodes.Node("Mul", [y, y])])]);
}

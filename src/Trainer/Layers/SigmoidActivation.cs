using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>1 / (1 + e^−x).</summary>
internal sealed record SigmoidActivation : Activation
{
    public override string Kind => "sigmoid";

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Sigmoid", [x]);

    // f′ = y·(1−y) = y − y².
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
        nodes.Named("dx", "Mul", [dy, nodes.Node("Sub", [y, nodes.Node("Mul", [y, y])])]);
}

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>max(0, x).</summary>
internal sealed record ReluActivation : Activation
{
    public override string Kind => "relu";

    public override bool IsRectifier => true;

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Relu", [x]);

    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) => nodes.Named("dx", "Mul", [dy, IsPositive(nodes, y)]);
}

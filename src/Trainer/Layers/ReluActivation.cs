using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>max(0, x).</summary>
internal sealed record ReluActivation : Activation
{
    public override string Kind => "relu";

    public override bool IsRectifier => true;

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Relu", [x]);

    // The derivative is 1 where y > 0: max(0, min(1, c·y)) with the largest c there is, one pass that ONNX Runtime vectorizes. Sign takes ten times
    // as long, a comparison and a Where twenty times.
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
        nodes.Named("dx", "Mul", [dy, nodes.Node("HardSigmoid", [y], ("alpha", float.MaxValue), ("beta", 0f))]);
}

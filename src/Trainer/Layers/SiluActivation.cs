using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>x·σ(x), also called swish (Ramachandran et al. 2017, arXiv 1710.05941).</summary>
internal sealed record SiluActivation : Activation
{
    public override string Kind => "silu";

    public override bool IsRectifier => true;

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Mul", [x, nodes.Node("Sigmoid", [x])]);

    // f′ = σ + x·σ·(1−σ) = σ + y·(1−σ) = y + σ·(1−y).
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
    {
        var rest = nodes.Node("Mul", [nodes.Node("Sigmoid", [x]), nodes.Node("Sub", [nodes.Constant(1), y])]);
        return nodes.Named("dx", "Mul", [dy, nodes.Node("Add", [y, rest])]);
    }
}

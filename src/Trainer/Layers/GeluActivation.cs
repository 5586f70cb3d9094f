using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>x·Φ(x), with Φ the normal distribution (Hendrycks and Gimpel 2016, arXiv 1606.08415); the exact form, not the tanh approximation.</summary>
internal sealed record GeluActivation : Activation
{
    public override string Kind => "gelu";

    public override bool IsRectifier => true;

    // Φ(x) = (1 + erf(x/√2))/2; Gelu as one operator exists from operator set 20 on.
    public override Value Forward(GraphBuilder nodes, Value x) =>
        nodes.Opset >= 20 ? nodes.Named("y", "Gelu", [x]) : nodes.Named("y", "Mul", [x, Distribution(nodes, x)]);

    // f′ = Φ(x) + x·φ(x), with φ(x) = e^(−x²/2)/√(2π).
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
    {
        var square = nodes.Node("Mul", [nodes.Node("Mul", [x, x]), nodes.Constant(-0.5f)]);
        var density = nodes.Node("Mul", [nodes.Node("Exp", [square]), nodes.Constant((float)(1 / Math.Sqrt(2 * Math.PI)))]);
        var slope = nodes.Node("Add", [Distribution(nodes, x), nodes.Node("Mul", [x, density])]);
        return nodes.Named("dx", "Mul", [dy, slope]);
    }

    private static Value Distribution(GraphBuilder nodes, Value x)
    {
        var erf = nodes.Node("Erf", [nodes.Node("Mul", [x, nodes.Constant((float)Math.Sqrt(0.5))])]);
        return nodes.Node("Mul", [nodes.Node("Add", [erf, nodes.Constant(1)]), nodes.Constant(0.5f)]);
    }
}

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>x where positive, a·x elsewhere.</summary>
internal sealed record LeakyReluActivation : Activation
{
    private readonly float _slope;

    public LeakyReluActivation(float slope)
    {
        if (slope is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(slope), slope, "The slope of a leaky relu is from 0 to below 1.");
        _slope = slope;
    }

    public override string Kind => "leakyrelu";

    public override string Text => Choice.Write(Kind, _slope);

    public override bool IsRectifier => true;

    public override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "LeakyRelu", [x], ("alpha", _slope));

    // f′ = (1+a)/2 + sign(x)·(1−a)/2.
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
    {
        var sign = nodes.Node("Mul", [nodes.Node("Sign", [x]), nodes.Constant((1 - _slope) / 2)]);
        return nodes.Named("dx", "Mul", [dy, nodes.Node("Add", [sign, nodes.Constant((1 + _slope) / 2)])]);
    }
}

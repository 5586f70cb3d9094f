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

    // f′ = a + (1−a)·(x > 0).
    public override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
    {
        var rise = nodes.Node("Mul", [IsPositive(nodes, x), nodes.Constant(1 - _slope)]);
        return nodes.Named("dx", "Mul", [dy, nodes.Node("Add", [rise, nodes.Constant(_slope)])]);
    }
}

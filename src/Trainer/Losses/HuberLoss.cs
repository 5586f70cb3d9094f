using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Σ h(y−t) with h(e) = ½·e² for |e| ≤ δ and δ·(|e| − ½·δ) beyond (Huber 1964, "Robust estimation of a location parameter"). With
/// c = e held between −δ and δ, both branches are c·(e − ½·c).
/// </summary>
internal sealed record HuberLoss : Loss
{
    private readonly float _delta;

    public HuberLoss(float delta)
    {
        if (delta is not (> 0 and < float.PositiveInfinity))
            throw new ArgumentOutOfRangeException(nameof(delta), delta, "The delta of the Huber loss is a finite number above 0.");
        _delta = delta;
    }

    public override string Kind => FormattableString.Invariant($"Huber, delta {_delta}");

    public override bool IsRegression => true;

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var error = nodes.Node("Sub", [output, target]);
        var held = Hold(nodes, error);
        var loss = nodes.Node("Mul", [held, nodes.Node("Sub", [error, nodes.Node("Mul", [held, nodes.Constant(0.5f)])])]);
        return nodes.ReduceSum(loss, keepAxes: true, 1);
    }

    // h′(e) = c
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) => Hold(nodes, nodes.Node("Sub", [output, target]));

    private Value Hold(GraphBuilder nodes, Value error) => nodes.Named("held", "Clip", [error, nodes.Constant(-_delta), nodes.Constant(_delta)]);
}

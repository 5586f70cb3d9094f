using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// −w₊·t·log σ(z) − w₋·(1−t)·log(1−σ(z)). With c = w₊·t + w₋·(1−t) it is c·softplus(z) − w₊·t·z, which stays finite for every logit.
/// </summary>
internal sealed record SigmoidCrossEntropyLoss : Loss
{
    private readonly float _positiveWeight;
    private readonly float _negativeWeight;

    public SigmoidCrossEntropyLoss(float positiveWeight, float negativeWeight)
    {
        _positiveWeight = Weight(positiveWeight, nameof(positiveWeight));
        _negativeWeight = Weight(negativeWeight, nameof(negativeWeight));
    }

    public override string Kind => "sigmoid cross-entropy";

    private bool IsWeighted => _positiveWeight != 1 || _negativeWeight != 1;

    internal override IReadOnlyList<Metric> Metrics => Metric.OfTwoClasses;

    public override Loss WithClassWeights(IReadOnlyList<float> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (IsWeighted) throw new ArgumentException("The loss has class weights of its own already.", nameof(weights));
        return weights.Count == 2
            ? new SigmoidCrossEntropyLoss(weights[1], weights[0])
            : throw new ArgumentException($"Two classes have two weights, but {weights.Count} were given.", nameof(weights));
    }

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var softplus = nodes.Node("Softplus", [output]);
        return nodes.Named("rowLoss", "Sub", [Weighted(nodes, softplus, target), nodes.Node("Mul", [output, Positive(nodes, target)])]);
    }

    // c·σ(z) − w₊·t
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sub", [Weighted(nodes, nodes.Node("Sigmoid", [output]), target), Positive(nodes, target)]);

    public override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Sigmoid", [output]);

    public override void RequireOutputs(long outputs)
    {
        if (outputs != 1)
            throw new ArgumentException($"The sigmoid cross-entropy takes one logit for a row, but the network gives {outputs}; end it with Dense(1), or use the softmax cross-entropy.", nameof(outputs));
    }

    private Value Positive(GraphBuilder nodes, Value target) =>
        IsWeighted ? nodes.Node("Mul", [target, nodes.Constant(_positiveWeight)]) : target;

    // value·c, with c = w₋ + (w₊ − w₋)·t
    private Value Weighted(GraphBuilder nodes, Value value, Value target)
    {
        if (!IsWeighted) return value;
        var slope = nodes.Node("Mul", [target, nodes.Constant(_positiveWeight - _negativeWeight)]);
        return nodes.Node("Mul", [value, nodes.Node("Add", [slope, nodes.Constant(_negativeWeight)])]);
    }

    private static float Weight(float value, string name) => value is > 0 and < float.PositiveInfinity
        ? value
        : throw new ArgumentOutOfRangeException(name, value, "The weight of a class is a finite number above 0.");
}

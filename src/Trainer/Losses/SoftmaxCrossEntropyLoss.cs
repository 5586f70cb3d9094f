using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Trainer;

/// <summary>−Σₖ wₖ·qₖ·log softmax(z)ₖ, with smoothed targets q = (1−s)·t + s/K (Szegedy et al. 2016, section 7) and class weights w.</summary>
internal sealed record SoftmaxCrossEntropyLoss : Loss
{
    private readonly float _smoothing;
    private readonly float[]? _classWeights;

    public SoftmaxCrossEntropyLoss(float smoothing, IReadOnlyList<float>? classWeights)
    {
        if (smoothing is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "Label smoothing is from 0 to below 1.");
        if (classWeights is not null)
        {
            for (var k = 0; k < classWeights.Count; k++)
                if (classWeights[k] is not (>= 0 and < float.PositiveInfinity))
                    throw new ArgumentOutOfRangeException(nameof(classWeights), classWeights[k], $"The weight of class {k} is not a finite number from 0.");
            if (classWeights.All(weight => weight == 0))
                throw new ArgumentException("Every class has the weight 0, so there is nothing to learn.", nameof(classWeights));
            _classWeights = [.. classWeights];
        }

        _smoothing = smoothing;
    }

    public override string Kind => "softmax cross-entropy";

    internal override IReadOnlyList<Metric> Metrics => Metric.OfClasses;

    public override Loss WithClassWeights(IReadOnlyList<float> weights) => _classWeights is null
        ? new SoftmaxCrossEntropyLoss(_smoothing, weights)
        : throw new ArgumentException("The loss has class weights of its own already.", nameof(weights));

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var logProbability = nodes.Node("LogSoftmax", [output], ("axis", 1));
        var sum = SumOverClasses(nodes, nodes.Node("Mul", [logProbability, WeightedTarget(nodes, target)]));
        return nodes.Named("rowLoss", "Neg", [sum]);
    }

    // With v = w·q: ∂/∂zⱼ = softmax(z)ⱼ·Σₖ vₖ − vⱼ. Without class weights Σ v = 1, for targets that add up to 1.
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target)
    {
        var probability = nodes.Node("Softmax", [output], ("axis", 1));
        var weighted = WeightedTarget(nodes, target);
        if (_classWeights is not null) probability = nodes.Node("Mul", [probability, SumOverClasses(nodes, weighted)]);
        return nodes.Named("rowGradient", "Sub", [probability, weighted]);
    }

    public override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Softmax", [output], ("axis", 1));

    public override void RequireOutputs(long outputs)
    {
        if (outputs < 2)
            throw new ArgumentException($"The softmax cross-entropy takes a logit for each of at least 2 classes, but the network gives {outputs}; end it with Dense(number of classes), or use the sigmoid cross-entropy.", nameof(outputs));
        if (_classWeights is not null && _classWeights.Length != outputs)
            throw new ArgumentException($"There are {_classWeights.Length} class weights, but the network gives logits for {outputs} classes.", nameof(outputs));
    }

    /// <summary>w·((1−s)·t + s/K), <c>[N, K]</c>.</summary>
    private Value WeightedTarget(GraphBuilder nodes, Value target)
    {
        if (_smoothing > 0)
        {
            // 1/K as the mean of a row of targets, which add up to 1: the graph need not know K.
            var share = nodes.ReduceMean(target, keepAxes: true, 1);
            target = nodes.Node("Add", [
                nodes.Node("Mul", [target, nodes.Constant(1 - _smoothing)]),
                nodes.Node("Mul", [share, nodes.Constant(_smoothing)]),
            ]);
        }

        return _classWeights is null
            ? target
            : nodes.Node("Mul", [target, nodes.Initializer(TensorData.Create("classWeights", _classWeights, _classWeights.Length))]);
    }

    private static Value SumOverClasses(GraphBuilder nodes, Value x) => nodes.ReduceSum(x, keepAxes: true, 1);
}

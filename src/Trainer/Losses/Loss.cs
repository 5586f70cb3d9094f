using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// What training makes small: the mean over the rows of a mini-batch of each row's loss, times the row's weight where rows have weights. A loss
/// also knows how the network's output becomes a prediction and which figures go with it.
/// </summary>
public abstract record Loss
{
    /// <summary>Binary cross-entropy on one logit for each row; targets are 0 or 1.</summary>
    public static Loss SigmoidCrossEntropy { get; } = new SigmoidCrossEntropyLoss(1, 1);

    /// <summary>Cross-entropy over K logits for each row; targets are one-hot (or probabilities).</summary>
    public static Loss SoftmaxCrossEntropy { get; } = new SoftmaxCrossEntropyLoss(0, null);

    /// <summary>Half the squared difference, summed over the outputs of a row.</summary>
    public static Loss SquaredError { get; } = new SquaredErrorLoss();

    /// <summary>The absolute difference, summed over the outputs of a row; it aims at the median rather than the mean.</summary>
    public static Loss AbsoluteError { get; } = new AbsoluteErrorLoss();

    /// <summary>The name in reports and metadata.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// Whether targets are numbers in a unit (rather than classes), so that <see cref="TrainingOptions.StandardizeTargets"/> applies.
    /// </summary>
    public virtual bool IsRegression => false;

    /// <summary>Binary cross-entropy with a weight for each class, for classes of which one is rare or dear.</summary>
    /// <param name="positiveWeight">Multiplies the loss of positive rows; above 0. PyTorch calls it <c>pos_weight</c>.</param>
    /// <param name="negativeWeight">Multiplies the loss of negative rows; above 0. Default: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A weight is not a finite number above 0.</exception>
    public static Loss WeightedSigmoidCrossEntropy(float positiveWeight, float negativeWeight = 1) =>
        new SigmoidCrossEntropyLoss(positiveWeight, negativeWeight);

    /// <summary>
    /// Cross-entropy over K logits with smoothed targets (Szegedy et al. 2016, arXiv 1512.00567, section 7) and a weight for each class:
    /// <c>−Σₖ wₖ·qₖ·log softmax(z)ₖ</c> with <c>q = (1−s)·t + s/K</c>.
    /// </summary>
    /// <param name="labelSmoothing">s, from 0 (none, the default) to below 1; 0.1 is usual.</param>
    /// <param name="classWeights">w, a weight from 0 for each class; null (the default) = 1 each.</param>
    /// <exception cref="ArgumentException">The smoothing or a weight is out of its range.</exception>
    public static Loss SmoothedCrossEntropy(float labelSmoothing = 0, IReadOnlyList<float>? classWeights = null) =>
        new SoftmaxCrossEntropyLoss(labelSmoothing, classWeights);

    /// <summary>
    /// Half the squared difference where it is at most <paramref name="delta"/>, linear beyond (Huber 1964), summed over the outputs of a row:
    /// single rows that are far off pull less.
    /// </summary>
    /// <param name="delta">
    /// Where it becomes linear; above 0. In the target's unit, or in standard deviations of the target with
    /// <see cref="TrainingOptions.StandardizeTargets"/>. Default: 1.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">Delta is not a finite number above 0.</exception>
    public static Loss Huber(float delta = 1) => new HuberLoss(delta);

    /// <summary>Reads the name of a loss for numbers, in any case: squared, absolute, huber or huber:DELTA.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Delta is out of its range.</exception>
    public static Loss ParseRegression(string text) => Choice.Read(text) switch
    {
        ("squared", []) => SquaredError,
        ("absolute", []) => AbsoluteError,
        ("huber", []) => Huber(),
        ("huber", [var delta]) => Huber((float)delta),
        var other => throw other.Unknown("a loss for numbers", "squared, absolute or huber[:DELTA]"),
    };

    /// <summary>The same loss with a weight for each class.</summary>
    /// <param name="weights">In the order of the classes; for two classes with one logit the negative one first.</param>
    /// <exception cref="ArgumentException">The loss has no classes, has weights already, or does not take these.</exception>
    public virtual Loss WithClassWeights(IReadOnlyList<float> weights) =>
        throw new ArgumentException($"The loss '{Kind}' has no classes that could have weights.", nameof(weights));

    /// <summary>Emits the loss of each row.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="output">The network's output, <c>[N, K]</c>.</param>
    /// <param name="target">The targets, <c>[N, K]</c>.</param>
    /// <returns>The losses, <c>[N, 1]</c>.</returns>
    public abstract Value RowLoss(GraphBuilder nodes, Value output, Value target);

    /// <summary>Emits the derivative of each row's loss with respect to its outputs.</summary>
    /// <returns>The gradient, <c>[N, K]</c>, not yet divided by the number of rows.</returns>
    public abstract Value RowGradient(GraphBuilder nodes, Value output, Value target);

    /// <summary>Emits the prediction that goes with the loss: a probability for the cross-entropies, the output itself for the others.</summary>
    public virtual Value Prediction(GraphBuilder nodes, Value output) => output;

    /// <summary>What networks that are trained with this loss are measured by.</summary>
    internal virtual IReadOnlyList<Metric> Metrics => Metric.OfNumbers;

    /// <summary>Measures predictions.</summary>
    /// <param name="predictions">What <see cref="Prediction"/> gave, <c>[N, K]</c>.</param>
    /// <param name="rows">The rows, with their targets and weights.</param>
    internal MetricValues Measure(ReadOnlySpan<float> predictions, LabeledRows rows) =>
        MetricValues.Measure(Metrics, new PredictedRows(predictions, rows.Targets, rows.Outputs, rows.Weights));

    /// <summary>Checks that the loss can take the outputs of a network.</summary>
    /// <param name="outputs">The values that the network gives for a row.</param>
    /// <exception cref="ArgumentException">It cannot; the message says how many it takes.</exception>
    public virtual void RequireOutputs(long outputs)
    {
    }
}

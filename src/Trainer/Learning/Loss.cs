using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Operators;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// What training makes small: the mean over the rows of a mini-batch of each row's loss, times the row's weight where rows have weights. A
/// loss also knows how the network's output becomes a prediction and which figures go with it.
/// </summary>
public abstract record Loss
{
    private protected Loss()
    {
    }

    /// <summary>Binary cross-entropy on one logit for each row; targets are 0 or 1.</summary>
    public static Loss SigmoidCrossEntropy { get; } = new SigmoidCrossEntropyLoss(0, 1, 1);

    /// <summary>Cross-entropy over K logits for each row; targets are one-hot (or probabilities).</summary>
    public static Loss SoftmaxCrossEntropy { get; } = new SoftmaxCrossEntropyLoss(0, null);

    /// <summary>Half the squared difference, summed over the outputs of a row.</summary>
    public static Loss SquaredError { get; } = new SquaredErrorLoss();

    /// <summary>The absolute difference, summed over the outputs of a row; it aims at the median rather than the mean.</summary>
    public static Loss AbsoluteError { get; } = new AbsoluteErrorLoss();

    /// <summary>The name in messages.</summary>
    internal abstract string Kind { get; }

    /// <summary>
    /// Whether targets are numbers in a unit (rather than classes), so that <see cref="TrainingOptions.StandardizeTargets"/> applies.
    /// </summary>
    internal virtual bool IsRegression => false;

    /// <summary>
    /// Whether its predictions are probabilities that a temperature can make right (<see cref="TrainingOptions.Calibrate"/>): not with
    /// weights of classes, by which they are meant to be off.
    /// </summary>
    internal virtual bool HasTemperature => false;

    /// <summary>Binary cross-entropy with a weight for each class, for classes of which one is rare or dear.</summary>
    /// <param name="positiveWeight">Multiplies the loss of positive rows; above 0. PyTorch calls it <c>pos_weight</c>.</param>
    /// <param name="negativeWeight">Multiplies the loss of negative rows; above 0. Default: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A weight is not a finite number above 0.</exception>
    public static Loss WeightedSigmoidCrossEntropy(float positiveWeight, float negativeWeight = 1) =>
        new SigmoidCrossEntropyLoss(0, positiveWeight, negativeWeight);

    /// <summary>
    /// Binary cross-entropy with smoothed targets, <c>(1−s)·t + s/2</c> (Szegedy et al. 2016, arXiv 1512.00567, section 7, for two
    /// classes), and a weight for each class.
    /// </summary>
    /// <param name="labelSmoothing">s, from 0 (none, the default) to below 1; 0.1 is usual.</param>
    /// <param name="positiveWeight">Multiplies what a target says of the positive class; above 0. Default: 1.</param>
    /// <param name="negativeWeight">The same for the negative class. Default: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The smoothing or a weight is out of its range.</exception>
    public static Loss SmoothedSigmoidCrossEntropy(float labelSmoothing = 0, float positiveWeight = 1, float negativeWeight = 1) =>
        new SigmoidCrossEntropyLoss(labelSmoothing, positiveWeight, negativeWeight);

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
    /// Half the squared difference where it is at most <paramref name="delta"/>, linear beyond (Huber 1964), summed over the outputs of a
    /// row: single rows that are far off pull less.
    /// </summary>
    /// <param name="delta">
    /// Where it becomes linear; above 0. In the target's unit, or in standard deviations of the target with
    /// <see cref="TrainingOptions.StandardizeTargets"/>. Default: 1.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">Delta is not a finite number above 0.</exception>
    public static Loss Huber(float delta = 1) => new HuberLoss(delta);

    /// <summary>
    /// Reads the name of a loss as <see cref="ToString"/> writes it, in any case: squared, absolute, huber, huber:DELTA, sigmoid or
    /// softmax.
    /// </summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Delta is out of its range.</exception>
    public static Loss Parse(string text) => Choice.Read(text) switch
    {
        ("squared", []) => SquaredError,
        ("absolute", []) => AbsoluteError,
        ("huber", []) => Huber(),
        ("huber", [var delta]) => Huber((float)delta),
        ("sigmoid", []) => SigmoidCrossEntropy,
        ("softmax", []) => SoftmaxCrossEntropy,
        var other => throw other.Unknown("a loss", "squared, absolute or huber[:DELTA] for numbers, sigmoid or softmax for classes"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Loss? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>
    /// The loss as <see cref="Parse"/> reads it: <c>huber:1</c>. Weights of classes and label smoothing stand behind it in brackets, for
    /// people.
    /// </summary>
    public sealed override string ToString() => Text;

    private protected abstract string Text { get; }

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
    internal abstract Value RowLoss(GraphBuilder nodes, Value output, Value target);

    /// <summary>Emits the derivative of each row's loss with respect to its outputs.</summary>
    /// <returns>The gradient, <c>[N, K]</c>, not yet divided by the number of rows.</returns>
    internal abstract Value RowGradient(GraphBuilder nodes, Value output, Value target);

    /// <summary>What a kernel of our own knows the loss as; null where it does not.</summary>
    internal virtual LossForm? Form => null;

    /// <summary>
    /// Emits the prediction that goes with the loss: a probability for the cross-entropies, the output itself for the others.
    /// </summary>
    internal virtual Value Prediction(GraphBuilder nodes, Value output) => output;

    /// <summary>What networks that are trained with this loss are measured by.</summary>
    internal virtual IReadOnlyList<Metric> Metrics => Metric.OfNumbers;

    /// <summary>Measures predictions.</summary>
    /// <param name="predictions">What <see cref="Prediction"/> gave, <c>[N, K]</c>.</param>
    /// <param name="rows">The rows, with their targets and weights.</param>
    internal MetricValues Measure(ReadOnlySpan<float> predictions, TrainingData rows) =>
        MetricValues.Measure(Metrics, new PredictedRows(predictions, rows.TargetArray, rows.Outputs, rows.WeightArray));

    private protected static float RequireSmoothing(float smoothing) => smoothing is >= 0 and < 1
        ? smoothing
        : throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "Label smoothing is from 0 to below 1.");

    /// <summary>Checks that the loss can take the outputs of a network.</summary>
    /// <param name="outputs">The values that the network gives for a row.</param>
    /// <exception cref="ArgumentException">It cannot; the message says how many it takes.</exception>
    internal virtual void RequireOutputs(long outputs)
    {
    }

    /// <summary>
    /// −w₊·t·log σ(z) − w₋·(1−t)·log(1−σ(z)), with t the smoothed target (1−s)·t + s/2. With c = w₊·t + w₋·(1−t) it is
    /// c·softplus(z) − w₊·t·z, which stays finite for every logit.
    /// </summary>
    private sealed record SigmoidCrossEntropyLoss : Loss
    {
        private readonly float _smoothing;
        private readonly float _positiveWeight;
        private readonly float _negativeWeight;

        public SigmoidCrossEntropyLoss(float smoothing, float positiveWeight, float negativeWeight)
        {
            _smoothing = RequireSmoothing(smoothing);
            _positiveWeight = Weight(positiveWeight, nameof(positiveWeight));
            _negativeWeight = Weight(negativeWeight, nameof(negativeWeight));
        }

        private protected override string Text => (_smoothing > 0, IsWeighted) switch
        {
            (false, false) => "sigmoid",
            (false, true) => FormattableString.Invariant($"sigmoid (weights {_negativeWeight}, {_positiveWeight})"),
            (true, false) => FormattableString.Invariant($"sigmoid (smoothing {_smoothing})"),
            _ => FormattableString.Invariant($"sigmoid (smoothing {_smoothing}, weights {_negativeWeight}, {_positiveWeight})"),
        };

        internal override string Kind => "sigmoid cross-entropy";

        internal override bool HasTemperature => !IsWeighted;

        internal override LossForm Form => new(LossFunction.Sigmoid, _smoothing, IsWeighted ? [_negativeWeight, _positiveWeight] : []);

        private bool IsWeighted => _positiveWeight != 1 || _negativeWeight != 1;

        internal override IReadOnlyList<Metric> Metrics => Metric.OfTwoClasses;

        public override Loss WithClassWeights(IReadOnlyList<float> weights)
        {
            ArgumentNullException.ThrowIfNull(weights);
            if (IsWeighted) throw new ArgumentException("The loss has class weights of its own already.", nameof(weights));
            return weights.Count == 2
                ? new SigmoidCrossEntropyLoss(_smoothing, weights[1], weights[0])
                : throw new ArgumentException($"Two classes have two weights, but {weights.Count} were given.", nameof(weights));
        }

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target)
        {
            target = Smoothed(nodes, target);
            var softplus = nodes.Node("Softplus", [output]);
            return nodes.Named("rowLoss", "Sub", [Weighted(nodes, softplus, target), nodes.Node("Mul", [output, Positive(nodes, target)])]);
        }

        // c·σ(z) − w₊·t
        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target)
        {
            target = Smoothed(nodes, target);
            return nodes.Named("rowGradient", "Sub", [Weighted(nodes, nodes.Node("Sigmoid", [output]), target), Positive(nodes, target)]);
        }

        internal override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Sigmoid", [output]);

        internal override void RequireOutputs(long outputs)
        {
            if (outputs != 1)
                throw new ArgumentException(
                    $"The sigmoid cross-entropy takes one logit for a row, but the network gives {outputs}; end it with Dense(1), or use "
                    + "the softmax cross-entropy.",
                    nameof(outputs));
        }

        private Value Smoothed(GraphBuilder nodes, Value target) => _smoothing == 0 ? target : nodes.Node(
            "Add", [nodes.Node("Mul", [target, nodes.Constant(1 - _smoothing)]), nodes.Constant(_smoothing / 2)]);

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

    /// <summary>
    /// −Σₖ wₖ·qₖ·log softmax(z)ₖ, with smoothed targets q = (1−s)·t + s/K (Szegedy et al. 2016, section 7) and class weights w.
    /// </summary>
    private sealed record SoftmaxCrossEntropyLoss : Loss
    {
        private readonly float _smoothing;
        private readonly float[]? _classWeights;

        public SoftmaxCrossEntropyLoss(float smoothing, IReadOnlyList<float>? classWeights)
        {
            _smoothing = RequireSmoothing(smoothing);
            if (classWeights is not null)
            {
                for (var k = 0; k < classWeights.Count; k++)
                    if (classWeights[k] is not (>= 0 and < float.PositiveInfinity))
                        throw new ArgumentOutOfRangeException(
                            nameof(classWeights), classWeights[k], $"The weight of class {k} is not a finite number from 0.");
                if (classWeights.All(weight => weight == 0))
                    throw new ArgumentException("Every class has the weight 0, so there is nothing to learn.", nameof(classWeights));
                _classWeights = [.. classWeights];
            }
        }

        private protected override string Text => _smoothing > 0 || _classWeights is not null ? FormattableString.Invariant(
            $"softmax (smoothing {_smoothing}, {(_classWeights is null ? "no" : "with")} class weights)") : "softmax";

        internal override string Kind => "softmax cross-entropy";

        internal override bool HasTemperature => _classWeights is null;

        internal override LossForm Form => new(LossFunction.Softmax, _smoothing, _classWeights ?? []);

        internal override IReadOnlyList<Metric> Metrics => Metric.OfClasses;

        public override Loss WithClassWeights(IReadOnlyList<float> weights) => _classWeights is null
            ? new SoftmaxCrossEntropyLoss(_smoothing, weights)
            : throw new ArgumentException("The loss has class weights of its own already.", nameof(weights));

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target)
        {
            var logProbability = nodes.Node("LogSoftmax", [output], ("axis", 1));
            var sum = SumOverClasses(nodes, nodes.Node("Mul", [logProbability, WeightedTarget(nodes, target)]));
            return nodes.Named("rowLoss", "Neg", [sum]);
        }

        // With v = w·q: ∂/∂zⱼ = softmax(z)ⱼ·Σₖ vₖ − vⱼ. Without class weights Σ v = 1, for targets that add up to 1.
        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target)
        {
            var probability = nodes.Node("Softmax", [output], ("axis", 1));
            var weighted = WeightedTarget(nodes, target);
            if (_classWeights is not null) probability = nodes.Node("Mul", [probability, SumOverClasses(nodes, weighted)]);
            return nodes.Named("rowGradient", "Sub", [probability, weighted]);
        }

        internal override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Softmax", [output], ("axis", 1));

        internal override void RequireOutputs(long outputs)
        {
            if (outputs < 2)
                throw new ArgumentException(
                    $"The softmax cross-entropy takes a logit for each of at least 2 classes, but the network gives {outputs}; end it with "
                    + "Dense(number of classes), or use the sigmoid cross-entropy.",
                    nameof(outputs));
            if (_classWeights is not null && _classWeights.Length != outputs)
                throw new ArgumentException(
                    $"There are {_classWeights.Length} class weights, but the network gives logits for {outputs} classes.",
                    nameof(outputs));
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

        private static Value SumOverClasses(GraphBuilder nodes, Value x) =>
            nodes.ReduceSum(x, keepAxes: true, 1);
    }

    /// <summary>½·Σ (y−t)²: the half makes the gradient y − t.</summary>
    private sealed record SquaredErrorLoss : Loss
    {
        private protected override string Text => "squared";

        internal override string Kind => "squared error";

        internal override LossForm Form => new(LossFunction.Squared);

        internal override bool IsRegression => true;

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target)
        {
            var difference = nodes.Node("Sub", [output, target]);
            var sum = nodes.ReduceSum(nodes.Node("Mul", [difference, difference]), keepAxes: true, 1);
            return nodes.Named("rowLoss", "Mul", [sum, nodes.Constant(0.5f)]);
        }

        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
            nodes.Named("rowGradient", "Sub", [output, target]);
    }

    /// <summary>Σ |y−t|.</summary>
    private sealed record AbsoluteErrorLoss : Loss
    {
        private protected override string Text => "absolute";

        internal override string Kind => "absolute error";

        internal override LossForm Form => new(LossFunction.Absolute);

        internal override bool IsRegression => true;

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target)
        {
            var distance = nodes.Node("Abs", [nodes.Node("Sub", [output, target])]);
            return nodes.ReduceSum(distance, keepAxes: true, 1);
        }

        // sign(y − t), which is 0 where they are equal
        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
            nodes.Named("rowGradient", "Sign", [nodes.Node("Sub", [output, target])]);
    }

    /// <summary>
    /// Σ h(y−t) with h(e) = ½·e² for |e| ≤ δ and δ·(|e| − ½·δ) beyond (Huber 1964, "Robust estimation of a location parameter"). With
    /// c = e held between −δ and δ, both branches are c·(e − ½·c).
    /// </summary>
    private sealed record HuberLoss : Loss
    {
        private readonly float _delta;

        public HuberLoss(float delta)
        {
            if (delta is not (> 0 and < float.PositiveInfinity))
                throw new ArgumentOutOfRangeException(nameof(delta), delta, "The delta of the Huber loss is a finite number above 0.");
            _delta = delta;
        }

        private protected override string Text => Choice.Write("huber", _delta);

        internal override string Kind => FormattableString.Invariant($"Huber, delta {_delta}");

        internal override LossForm Form => new(LossFunction.Huber, _delta);

        internal override bool IsRegression => true;

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target)
        {
            var error = nodes.Node("Sub", [output, target]);
            var held = Hold(nodes, error);
            var loss = nodes.Node("Mul", [held, nodes.Node("Sub", [error, nodes.Node("Mul", [held, nodes.Constant(0.5f)])])]);
            return nodes.ReduceSum(loss, keepAxes: true, 1);
        }

        // h′(e) = c
        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
            Hold(nodes, nodes.Node("Sub", [output, target]));

        private Value Hold(GraphBuilder nodes, Value error) =>
            nodes.Named("held", "Clip", [error, nodes.Constant(-_delta), nodes.Constant(_delta)]);
    }
}

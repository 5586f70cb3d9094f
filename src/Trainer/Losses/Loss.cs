using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>What training makes small. A loss also knows how the network's output becomes a prediction.</summary>
public abstract record Loss
{
    /// <summary>Binary cross-entropy on one logit for each row; targets are 0 or 1.</summary>
    public static Loss SigmoidCrossEntropy { get; } = new SigmoidCrossEntropyLoss();

    /// <summary>Cross-entropy over K logits for each row; targets are one-hot (or probabilities).</summary>
    public static Loss SoftmaxCrossEntropy { get; } = new SoftmaxCrossEntropyLoss();

    /// <summary>Half the squared difference, summed over the outputs of a row.</summary>
    public static Loss SquaredError { get; } = new SquaredErrorLoss();

    /// <summary>The name in reports and metadata.</summary>
    public abstract string Kind { get; }

    /// <summary>Emits the loss of each row.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="output">The network's output, <c>[N, K]</c>.</param>
    /// <param name="target">The targets, <c>[N, K]</c>.</param>
    /// <returns>The losses, <c>[N, 1]</c>.</returns>
    public abstract Value RowLoss(GraphBuilder nodes, Value output, Value target);

    /// <summary>Emits the derivative of each row's loss with respect to its outputs.</summary>
    /// <returns>The gradient, <c>[N, K]</c>, not yet divided by the number of rows.</returns>
    public abstract Value RowGradient(GraphBuilder nodes, Value output, Value target);

    /// <summary>Emits the prediction that goes with the loss: a probability for the cross-entropies, the output itself for squared error.</summary>
    public abstract Value Prediction(GraphBuilder nodes, Value output);

    /// <summary>The figures that go with the loss.</summary>
    /// <param name="predictions">What <see cref="Prediction"/> gave, <c>[N, K]</c>.</param>
    /// <param name="rows">The rows, with their targets and weights.</param>
    public abstract IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<float> predictions, LabeledRows rows);
}

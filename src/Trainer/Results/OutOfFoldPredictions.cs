namespace MlNetBatchNorm;

/// <summary>
/// Predictions for the training rows, each by the member of an ensemble that did not learn from it: what the network can do on rows that it
/// has not seen, without giving up any. They are a little worse than the network itself, which is the mean of all members.
/// </summary>
public sealed class OutOfFoldPredictions
{
    internal OutOfFoldPredictions(float[] predictions, TrainingData rows, int[] folds, EpochMetrics metrics) =>
        (Predictions, Rows, Folds, Metrics) = (predictions, rows, folds, metrics);

    /// <summary>
    /// The predictions, <c>[N, K]</c> row-major, in the order of the training rows: the probability of the positive class (K = 1), of each
    /// class, or the number itself (K = 1).
    /// </summary>
    public ReadOnlyMemory<float> Predictions { get; }

    /// <summary>The rows that they are for, with targets and weights.</summary>
    public TrainingData Rows { get; }

    /// <summary>For each row the member that did not learn from it, from 0.</summary>
    public ReadOnlyMemory<int> Folds { get; }

    /// <summary>How good the predictions are.</summary>
    public EpochMetrics Metrics { get; }
}

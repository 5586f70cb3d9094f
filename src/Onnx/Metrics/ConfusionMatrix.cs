namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>How often each class was taken for each: rows by actual class, columns by predicted class.</summary>
internal sealed class ConfusionMatrix
{
    private readonly double[,] _weights;

    private ConfusionMatrix(double[,] weights) => _weights = weights;

    /// <summary>The number of classes.</summary>
    public int Classes => _weights.GetLength(0);

    /// <summary>The weight of all rows together; their number, where all count the same.</summary>
    public double Total => _weights.Cast<double>().Sum();

    /// <summary>The weight of the rows of one class that were taken for another, or for what they are.</summary>
    /// <param name="actual">The class, from 0.</param>
    /// <param name="predicted">What it was taken for, from 0.</param>
    public double this[int actual, int predicted] => _weights[actual, predicted];

    /// <summary>Counts rows; a row's class is decided as in <see cref="ClassificationMetrics.Accuracy"/>.</summary>
    /// <param name="predictions">Probabilities, <c>[N, K]</c>; with K = 1 that of the positive class, and there are two classes.</param>
    /// <param name="targets">Targets, <c>[N, K]</c>.</param>
    /// <param name="outputs">K.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static ConfusionMatrix Of(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int outputs, float[]? weights = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(outputs, 1);
        if (predictions.Length != targets.Length)
            throw new ArgumentException($"There are {predictions.Length} predictions but {targets.Length} targets.", nameof(targets));
        var classes = Math.Max(outputs, 2);
        var counts = new double[classes, classes];
        for (var row = 0; row < targets.Length / outputs; row++)
        {
            var actual = ClassificationMetrics.ClassOf(targets.Slice(row * outputs, outputs));
            var predicted = ClassificationMetrics.ClassOf(predictions.Slice(row * outputs, outputs));
            counts[actual, predicted] += weights is null ? 1.0 : weights[row];
        }

        return new ConfusionMatrix(counts);
    }

    /// <summary>The weight of the rows of a class.</summary>
    public double Actual(int index) => Enumerable.Range(0, Classes).Sum(other => _weights[index, other]);

    /// <summary>The weight of the rows that were taken for a class.</summary>
    public double Predicted(int index) => Enumerable.Range(0, Classes).Sum(other => _weights[other, index]);

    /// <summary>The share of a class's rows that were recognized; NaN where there are none.</summary>
    public double Recall(int index) => _weights[index, index] / Actual(index);

    /// <summary>The share of the rows taken for a class that are of it; NaN where there are none.</summary>
    public double Precision(int index) => _weights[index, index] / Predicted(index);
}

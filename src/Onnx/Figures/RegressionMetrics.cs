namespace MlNetBatchNorm.Onnx.Figures;

/// <summary>Figures for predictions of numbers, over all outputs of all rows.</summary>
internal static class RegressionMetrics
{
    /// <summary>√(mean of (y−t)²), in the target's unit.</summary>
    /// <param name="predictions">y, <c>[N, K]</c>.</param>
    /// <param name="targets">t, <c>[N, K]</c>.</param>
    /// <param name="outputs">K.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double RootMeanSquaredError(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int outputs, float[]? weights = null) =>
        Math.Sqrt(SumOfSquares(predictions, targets, outputs, weights) / Total(targets.Length, outputs, weights));

    /// <summary>The mean of |y−t|, in the target's unit; parameters as for <see cref="RootMeanSquaredError"/>.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double MeanAbsoluteError(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int outputs, float[]? weights = null)
    {
        RequireSameLength(predictions, targets);
        var sum = 0.0;
        for (var i = 0; i < targets.Length; i++) sum += Weight(i, outputs, weights) * Math.Abs((double)predictions[i] - targets[i]);
        return sum / Total(targets.Length, outputs, weights);
    }

    /// <summary>
    /// The coefficient of determination, 1 − Σ(y−t)²/Σ(t−t̄)² with t̄ the mean of each output: 1 = exact, 0 = no better than the mean. NaN when
    /// the targets do not vary. Parameters as for <see cref="RootMeanSquaredError"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double RSquared(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int outputs, float[]? weights = null)
    {
        var mean = new double[outputs];
        for (var i = 0; i < targets.Length; i++) mean[i % outputs] += Weight(i, outputs, weights) * targets[i];
        var total = Total(targets.Length, outputs, weights) / outputs;
        for (var output = 0; output < outputs; output++) mean[output] /= total;
        var variation = 0.0;
        for (var i = 0; i < targets.Length; i++)
        {
            var difference = targets[i] - mean[i % outputs];
            variation += Weight(i, outputs, weights) * difference * difference;
        }

        return variation > 0 ? 1 - (SumOfSquares(predictions, targets, outputs, weights) / variation) : double.NaN;
    }

    private static double SumOfSquares(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int outputs, float[]? weights)
    {
        RequireSameLength(predictions, targets);
        var sum = 0.0;
        for (var i = 0; i < targets.Length; i++)
        {
            var difference = (double)predictions[i] - targets[i];
            sum += Weight(i, outputs, weights) * difference * difference;
        }

        return sum;
    }

    private static double Total(int values, int outputs, float[]? weights) => weights is null ? values : outputs * weights.Sum(weight => (double)weight);

    private static double Weight(int index, int outputs, float[]? weights) => weights is null ? 1 : weights[index / outputs];

    private static void RequireSameLength(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets)
    {
        if (predictions.Length != targets.Length)
            throw new ArgumentException($"There are {predictions.Length} predictions but {targets.Length} targets.", nameof(predictions));
    }
}

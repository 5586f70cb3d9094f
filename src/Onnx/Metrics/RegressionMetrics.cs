namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>The formulas of the figures for numbers, over all values of all rows: y is what was predicted, t what is right.</summary>
internal static class RegressionMetrics
{
    /// <summary>√(mean of (y−t)²), in the target's unit.</summary>
    public static double RootMeanSquaredError(PredictedRows rows) => Math.Sqrt(SumOfSquares(rows) / Total(rows));

    /// <summary>The mean of |y−t|, in the target's unit.</summary>
    public static double MeanAbsoluteError(PredictedRows rows)
    {
        var sum = 0.0;
        for (var i = 0; i < rows.Targets.Length; i++)
            sum += rows.Weight(i / rows.Width) * Math.Abs((double)rows.Predictions[i] - rows.Targets[i]);
        return sum / Total(rows);
    }

    /// <summary>
    /// The coefficient of determination, 1 − Σ(y−t)²/Σ(t−t̄)² with t̄ the mean of each output: 1 = exact, 0 = no better than the mean. NaN
    /// when the targets do not vary.
    /// </summary>
    public static double RSquared(PredictedRows rows)
    {
        var mean = new double[rows.Width];
        for (var i = 0; i < rows.Targets.Length; i++) mean[i % rows.Width] += rows.Weight(i / rows.Width) * rows.Targets[i];
        var total = Total(rows) / rows.Width;
        for (var output = 0; output < rows.Width; output++) mean[output] /= total;
        var variation = 0.0;
        for (var i = 0; i < rows.Targets.Length; i++)
        {
            var difference = rows.Targets[i] - mean[i % rows.Width];
            variation += rows.Weight(i / rows.Width) * difference * difference;
        }

        return variation > 0 ? 1 - (SumOfSquares(rows) / variation) : double.NaN;
    }

    /// <summary>The root-mean-square error by rows (<see cref="Metric.ByRow"/>).</summary>
    public static double[] RootMeanSquaredErrorByRow(PredictedRows rows)
    {
        var (values, error) = (SquaresByRow(rows), RootMeanSquaredError(rows));
        for (var row = 0; row < values.Length; row++)
            values[row] = error + (error > 0 ? (values[row] - (error * error)) / (2 * error) : 0);
        return values;
    }

    /// <summary>The mean absolute error by rows: that of each row.</summary>
    public static double[] MeanAbsoluteErrorByRow(PredictedRows rows)
    {
        var values = new double[rows.Count];
        for (var i = 0; i < rows.Targets.Length; i++)
            values[i / rows.Width] += Math.Abs((double)rows.Predictions[i] - rows.Targets[i]) / rows.Width;
        return values;
    }

    /// <summary>The coefficient of determination by rows (<see cref="Metric.ByRow"/>).</summary>
    public static double[] RSquaredByRow(PredictedRows rows)
    {
        var (values, explained, total) = (SquaresByRow(rows), RSquared(rows), Total(rows) / rows.Width);
        var mean = new double[rows.Width];
        for (var i = 0; i < rows.Targets.Length; i++)
            mean[i % rows.Width] += rows.Weight(i / rows.Width) * rows.Targets[i] / total;
        var (away, variation) = (new double[rows.Count], 0.0);
        for (var i = 0; i < rows.Targets.Length; i++)
        {
            var difference = rows.Targets[i] - mean[i % rows.Width];
            away[i / rows.Width] += difference * difference / rows.Width;
        }

        for (var row = 0; row < away.Length; row++) variation += rows.Weight(row) * away[row] / total;
        for (var row = 0; row < away.Length; row++)
            values[row] = explained + ((((1 - explained) * away[row]) - values[row]) / variation);
        return values;
    }

    private static double[] SquaresByRow(PredictedRows rows)
    {
        var values = new double[rows.Count];
        for (var i = 0; i < rows.Targets.Length; i++)
        {
            var difference = (double)rows.Predictions[i] - rows.Targets[i];
            values[i / rows.Width] += difference * difference / rows.Width;
        }

        return values;
    }

    private static double SumOfSquares(PredictedRows rows)
    {
        var sum = 0.0;
        for (var i = 0; i < rows.Targets.Length; i++)
        {
            var difference = (double)rows.Predictions[i] - rows.Targets[i];
            sum += rows.Weight(i / rows.Width) * difference * difference;
        }

        return sum;
    }

    private static double Total(PredictedRows rows)
    {
        if (rows.Weights.IsEmpty) return rows.Targets.Length;
        var sum = 0.0;
        foreach (var weight in rows.Weights) sum += weight;
        return rows.Width * sum;
    }
}

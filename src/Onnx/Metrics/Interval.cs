namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>
/// A figure with the interval in which it would lie for other rows from where these came from, in 95 of 100 cases unless it is said
/// otherwise. The ends are NaN where there is too little to say so.
/// </summary>
/// <param name="Value">The figure.</param>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
internal readonly record struct Interval(double Value, double Low, double High)
{
    /// <summary>The usual share of cases that an interval leaves out.</summary>
    public const double Error = 0.05;

    /// <summary>Whether all of it is above a number.</summary>
    public bool IsAbove(double number) => Low > number;

    /// <summary>Whether all of it is below a number.</summary>
    public bool IsBelow(double number) => High < number;

    /// <summary>The mean of values of which each belongs to a row, and what another sample of rows would make of it.</summary>
    /// <remarks>
    /// The variance of a weighted mean where rows come in clusters (patients, customers) that are drawn as wholes, as in surveys; where
    /// each row stands for itself it is s²/n. Few clusters widen it as Student's t does.
    /// </remarks>
    /// <param name="values">The values.</param>
    /// <param name="weights">A weight for each row; empty = all count the same.</param>
    /// <param name="clusters">For each row the number of its cluster, from 0; empty = each row is one.</param>
    /// <param name="error">The share of cases in which the mean of all there is lies outside.</param>
    public static Interval OfMean(
        ReadOnlySpan<double> values, ReadOnlySpan<float> weights = default, ReadOnlySpan<int> clusters = default, double error = Error)
    {
        double total = 0, sum = 0;
        for (var row = 0; row < values.Length; row++)
        {
            var weight = weights.IsEmpty ? 1.0 : weights[row];
            total += weight;
            sum += weight * values[row];
        }

        var mean = sum / total;
        var sums = new Dictionary<int, double>();
        double squares = 0;
        var count = 0;
        for (var row = 0; row < values.Length; row++)
        {
            var weight = weights.IsEmpty ? 1.0 : weights[row];
            if (weight == 0) continue;
            var away = weight * (values[row] - mean);
            if (!clusters.IsEmpty) sums[clusters[row]] = sums.GetValueOrDefault(clusters[row]) + away;
            else
            {
                squares += away * away;
                count++;
            }
        }

        if (!clusters.IsEmpty) (squares, count) = (sums.Values.Sum(away => away * away), sums.Count);
        if (count < 2) return new Interval(mean, double.NaN, double.NaN);
        var half = Quantile(error, count - 1) * Math.Sqrt(squares * count / (count - 1)) / total;
        return new Interval(mean, mean - half, mean + half);
    }

    /// <summary>How many standard deviations a mean of normal values is away at most, in all but a share of cases.</summary>
    /// <remarks>Abramowitz and Stegun (1964), 26.2.23 for the normal distribution and 26.7.5 for Student's.</remarks>
    /// <param name="error">The share, above 0 and below 1.</param>
    /// <param name="freedom">The degrees of freedom, from 1.</param>
    public static double Quantile(double error, int freedom)
    {
        var t = Math.Sqrt(-2 * Math.Log(error / 2));
        var z = t - ((2.515517 + (t * (0.802853 + (t * 0.010328)))) / (1 + (t * (1.432788 + (t * (0.189269 + (t * 0.001308)))))));
        var (z2, n) = (z * z, (double)freedom);
        return z + (z * (z2 + 1) / (4 * n)) + (z * ((z2 * ((5 * z2) + 16)) + 3) / (96 * n * n))
            + (z * ((z2 * ((z2 * ((3 * z2) + 19)) + 17)) - 15) / (384 * n * n * n));
    }
}

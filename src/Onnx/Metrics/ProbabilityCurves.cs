namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>The receiver operating characteristic of a score for two classes.</summary>
internal static class RocCurve
{
    /// <summary>
    /// The curve, a point for each different score, from (0, 0) to (1, 1). The area under the straight lines between the points is
    /// <see cref="ClassificationMetrics.AreaUnderRoc"/>. Empty where one of the classes is absent.
    /// </summary>
    /// <param name="scores">A score for each row; a logit or a probability, the curve is the same.</param>
    /// <param name="labels">1 for positive, 0 for negative.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static IReadOnlyList<RocPoint> Of(ReadOnlySpan<float> scores, ReadOnlySpan<float> labels, float[]? weights = null)
    {
        if (scores.Length != labels.Length)
            throw new ArgumentException($"There are {scores.Length} scores but {labels.Length} labels.", nameof(labels));
        var keys = scores.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(keys, order);

        double positives = 0, negatives = 0;
        var counts = new List<(float Score, double Positives, double Negatives)> { (float.PositiveInfinity, 0, 0) };
        for (var i = keys.Length - 1; i >= 0;)
        {
            var score = keys[i];
            for (; i >= 0 && keys[i].Equals(score); i--)
            {
                var weight = weights is null ? 1.0 : weights[order[i]];
                if (labels[order[i]] > 0.5f) positives += weight;
                else negatives += weight;
            }

            counts.Add((score, positives, negatives));
        }

        return positives == 0 || negatives == 0
            ? []
            : [.. counts.Select(count => new RocPoint(count.Score, count.Negatives / negatives, count.Positives / positives))];
    }
}

/// <summary>A point of a ROC curve: what a threshold lets through.</summary>
/// <param name="Threshold">Rows that score at least this much are called positive; infinity = none.</param>
/// <param name="FalsePositiveRate">The share of the negative rows that are called positive.</param>
/// <param name="TruePositiveRate">The share of the positive rows that are called positive.</param>
internal readonly record struct RocPoint(float Threshold, double FalsePositiveRate, double TruePositiveRate);

/// <summary>Are probabilities what they say? Of the rows that are given 0.7, seven in ten should be positive.</summary>
internal static class ReliabilityCurve
{
    /// <summary>Rows in bins of equal width by their probability (Murphy and Winkler 1977); bins without a row are left out.</summary>
    /// <param name="probabilities">The probability of the positive class for each row, from 0 to 1.</param>
    /// <param name="labels">1 for positive, 0 for negative.</param>
    /// <param name="bins">The number of bins, from 1. Default: 10.</param>
    /// <param name="weights">Weights of the rows; empty = all alike.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static IReadOnlyList<ReliabilityBin> Of(
        ReadOnlySpan<float> probabilities, ReadOnlySpan<float> labels, int bins = 10, ReadOnlySpan<float> weights = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        if (probabilities.Length != labels.Length)
            throw new ArgumentException($"There are {probabilities.Length} probabilities but {labels.Length} labels.", nameof(labels));
        var sums = new (double Weight, double Probability, double Positive)[bins];
        for (var row = 0; row < labels.Length; row++)
        {
            var weight = weights.IsEmpty ? 1.0 : weights[row];
            ref var sum = ref sums[Math.Clamp((int)(probabilities[row] * bins), 0, bins - 1)];
            sum = (sum.Weight + weight, sum.Probability + (weight * probabilities[row]), sum.Positive + (weight * labels[row]));
        }

        return
        [
            .. from bin in sums.Index()
               let sum = bin.Item
               where sum.Weight > 0
               select new ReliabilityBin(
                   (double)bin.Index / bins, (bin.Index + 1.0) / bins, sum.Probability / sum.Weight, sum.Positive / sum.Weight, sum.Weight),
        ];
    }

    /// <summary>
    /// The same for predictions of classes: of two by the probability of the positive one, of several by that of the class that is
    /// predicted, and whether it came about.
    /// </summary>
    /// <param name="rows">Probabilities and targets, <c>[N, 1]</c> or <c>[N, K]</c>.</param>
    public static IReadOnlyList<ReliabilityBin> Of(PredictedRows rows)
    {
        if (rows.Width == 1) return Of(rows.Predictions, rows.Targets, weights: rows.Weights);
        var (said, right) = (new float[rows.Count], new float[rows.Count]);
        for (var row = 0; row < rows.Count; row++)
        {
            var predicted = ClassificationMetrics.ClassOf(rows.Prediction(row));
            said[row] = rows.Prediction(row)[predicted];
            right[row] = ClassificationMetrics.ClassOf(rows.Target(row)) == predicted ? 1 : 0;
        }

        return Of(said, right, weights: rows.Weights);
    }

    /// <summary>
    /// The expected calibration error (Naeini, Cooper and Hauskrecht 2015): how far what came about is from what was said, on average over
    /// the bins, each by the weight of its rows.
    /// </summary>
    public static double Error(IReadOnlyList<ReliabilityBin> bins) =>
        bins.Sum(bin => bin.Weight * Math.Abs(bin.MeanProbability - bin.PositiveShare)) / bins.Sum(bin => bin.Weight);

    /// <summary>
    /// What <see cref="Error"/> would be about, of as many rows, by chance alone, where every probability is what it says: the mean size of
    /// normal deviations, √(2/π) standard errors of each bin's share.
    /// </summary>
    public static double ErrorByChance(IReadOnlyList<ReliabilityBin> bins) => bins.Sum(bin => bin.Weight * Math.Sqrt(
        2 / Math.PI * bin.MeanProbability * (1 - bin.MeanProbability) / bin.Weight)) / bins.Sum(bin => bin.Weight);
}

/// <summary>Rows with about the same probability: how often what was said came about.</summary>
/// <param name="From">The lowest probability of the bin.</param>
/// <param name="To">The highest; the next bin begins there.</param>
/// <param name="MeanProbability">The mean probability of the bin's rows.</param>
/// <param name="PositiveShare">The share of its rows that are positive.</param>
/// <param name="Weight">The weight of its rows together; their number, where all count the same.</param>
internal readonly record struct ReliabilityBin(double From, double To, double MeanProbability, double PositiveShare, double Weight);

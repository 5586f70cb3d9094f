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

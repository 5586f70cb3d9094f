namespace MlNetBatchNorm.Onnx.Figures;

/// <summary>Figures for classifiers.</summary>
internal static class ClassificationMetrics
{
    /// <summary>
    /// The area under the ROC curve: the probability that a random positive row scores above a random negative one, ties counting half
    /// (the Mann-Whitney statistic). NaN when one of the classes is absent.
    /// </summary>
    /// <param name="scores">A score for each row.</param>
    /// <param name="labels">1 for positive, 0 for negative.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double AreaUnderRoc(ReadOnlySpan<float> scores, ReadOnlySpan<float> labels, float[]? weights = null)
    {
        if (scores.Length != labels.Length)
            throw new ArgumentException($"There are {scores.Length} scores but {labels.Length} labels.", nameof(labels));
        var keys = scores.ToArray();
        var order = new int[keys.Length];
        for (var i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(keys, order);

        double negativesBelow = 0, positives = 0, area = 0;
        for (var i = 0; i < keys.Length;)
        {
            double tiedPositives = 0, tiedNegatives = 0;
            for (var key = keys[i]; i < keys.Length && keys[i].Equals(key); i++)
            {
                var weight = weights is null ? 1.0 : weights[order[i]];
                if (labels[order[i]] > 0.5f) tiedPositives += weight;
                else tiedNegatives += weight;
            }

            area += tiedPositives * (negativesBelow + (tiedNegatives / 2));
            negativesBelow += tiedNegatives;
            positives += tiedPositives;
        }

        return area / (positives * negativesBelow);
    }

    /// <summary>The share of rows whose largest output is at the class that has the largest target; with one output, the threshold is 0.5.</summary>
    /// <param name="predictions">Probabilities, <c>[N, K]</c>.</param>
    /// <param name="targets">Targets, <c>[N, K]</c>.</param>
    /// <param name="classes">K.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    public static double Accuracy(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int classes, float[]? weights = null)
    {
        double right = 0, total = 0;
        for (var row = 0; row < predictions.Length / classes; row++)
        {
            var weight = weights is null ? 1.0 : weights[row];
            total += weight;
            if (ClassOf(predictions.Slice(row * classes, classes)) == ClassOf(targets.Slice(row * classes, classes))) right += weight;
        }

        return right / total;
    }

    /// <summary>
    /// The mean over the classes of the share of a class's rows that are recognized (its recall), so that a rare class counts as much as a
    /// frequent one. Classes that no row has are left out. Parameters as for <see cref="Accuracy"/>.
    /// </summary>
    public static double MacroAccuracy(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int classes, float[]? weights = null)
    {
        var right = new double[Math.Max(classes, 2)];
        var total = new double[right.Length];
        for (var row = 0; row < predictions.Length / classes; row++)
        {
            var weight = weights is null ? 1.0 : weights[row];
            var actual = ClassOf(targets.Slice(row * classes, classes));
            total[actual] += weight;
            if (ClassOf(predictions.Slice(row * classes, classes)) == actual) right[actual] += weight;
        }

        return Enumerable.Range(0, right.Length).Where(index => total[index] > 0).Select(index => right[index] / total[index]).DefaultIfEmpty(double.NaN).Average();
    }

    /// <summary>
    /// The mean of −log of the probability that was given to the class that came about, in nats (ML.NET's own <c>LogLoss</c> is in bits).
    /// Probabilities are kept 1e-7 away from 0 and 1, the resolution of a float32 near 1.
    /// </summary>
    /// <param name="predictions">Probabilities, <c>[N, K]</c>; with K = 1 that of the positive class.</param>
    /// <param name="targets">Targets, <c>[N, K]</c>.</param>
    /// <param name="classes">K.</param>
    /// <param name="weights">Weights of the rows, or null.</param>
    public static double LogLoss(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int classes, float[]? weights = null)
    {
        double sum = 0, total = 0;
        for (var i = 0; i < predictions.Length; i++)
        {
            var weight = weights is null ? 1.0 : weights[i / classes];
            var probability = Math.Clamp((double)predictions[i], 1e-7, 1 - 1e-7);
            sum -= weight * targets[i] * Math.Log(probability);
            if (classes == 1) sum -= weight * (1 - targets[i]) * Math.Log(1 - probability);
            if (i % classes == 0) total += weight;
        }

        return sum / total;
    }

    /// <summary>The class of one row: where the largest of its values is; with a single one, 1 if it is above 0.5 and 0 otherwise.</summary>
    /// <param name="values">Probabilities or targets, <c>[K]</c>.</param>
    public static int ClassOf(ReadOnlySpan<float> values) => values.Length == 1
        ? values[0] > 0.5f ? 1 : 0
        : System.Numerics.Tensors.TensorPrimitives.IndexOfMax(values);
}

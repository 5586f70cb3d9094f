using System.Numerics.Tensors;

namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>The formulas of the figures for classes.</summary>
internal static class ClassificationMetrics
{
    /// <summary>
    /// The area under the ROC curve: the probability that a random positive row scores above a random negative one, ties counting half
    /// (the Mann-Whitney statistic). NaN when one of the classes is absent.
    /// </summary>
    public static double AreaUnderRoc(PredictedRows rows)
    {
        var keys = rows.Predictions.ToArray();
        var order = new int[keys.Length];
        for (var i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(keys, order);

        double negativesBelow = 0, positives = 0, area = 0;
        for (var i = 0; i < keys.Length;)
        {
            double tiedPositives = 0, tiedNegatives = 0;
            for (var key = keys[i]; i < keys.Length && keys[i].Equals(key); i++)
            {
                var weight = rows.Weight(order[i]);
                if (rows.Targets[order[i]] > 0.5f) tiedPositives += weight;
                else tiedNegatives += weight;
            }

            area += tiedPositives * (negativesBelow + (tiedNegatives / 2));
            negativesBelow += tiedNegatives;
            positives += tiedPositives;
        }

        return area / (positives * negativesBelow);
    }

    /// <summary>The share of the rows whose class (<see cref="ClassOf"/>) is predicted right.</summary>
    public static double Accuracy(PredictedRows rows)
    {
        double right = 0, total = 0;
        for (var row = 0; row < rows.Count; row++)
        {
            var weight = rows.Weight(row);
            total += weight;
            if (ClassOf(rows.Prediction(row)) == ClassOf(rows.Target(row))) right += weight;
        }

        return right / total;
    }

    /// <summary>
    /// The mean over the classes of the share of a class's rows that are recognized (its recall), so that a rare class counts as much as a
    /// frequent one. Classes that no row has are left out.
    /// </summary>
    public static double MacroAccuracy(PredictedRows rows)
    {
        var right = new double[Math.Max(rows.Width, 2)];
        var total = new double[right.Length];
        for (var row = 0; row < rows.Count; row++)
        {
            var weight = rows.Weight(row);
            var actual = ClassOf(rows.Target(row));
            total[actual] += weight;
            if (ClassOf(rows.Prediction(row)) == actual) right[actual] += weight;
        }

        var present = Enumerable.Range(0, right.Length).Where(index => total[index] > 0);
        return present.Select(index => right[index] / total[index]).DefaultIfEmpty(double.NaN).Average();
    }

    /// <summary>
    /// The mean of −log of the probability that was given to the class that came about, in nats. Probabilities are kept 1e-7 away from 0
    /// and 1, the resolution of a float32 near 1.
    /// </summary>
    public static double LogLoss(PredictedRows rows)
    {
        double sum = 0, total = 0;
        for (var i = 0; i < rows.Predictions.Length; i++)
        {
            var weight = rows.Weight(i / rows.Width);
            var probability = Math.Clamp((double)rows.Predictions[i], 1e-7, 1 - 1e-7);
            sum -= weight * rows.Targets[i] * Math.Log(probability);
            if (rows.Width == 1) sum -= weight * (1 - rows.Targets[i]) * Math.Log(1 - probability);
            if (i % rows.Width == 0) total += weight;
        }

        return sum / total;
    }

    /// <summary>
    /// The area under the ROC curve by rows (<see cref="Metric.ByRow"/>): the structural components of DeLong, DeLong and Clarke-Pearson
    /// (1988), of a positive row the share of the negative ones below it, and the other way round.
    /// </summary>
    public static double[] AreaUnderRocByRow(PredictedRows rows)
    {
        var keys = rows.Predictions.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(keys, order);
        double positives = 0, negatives = 0;
        for (var row = 0; row < keys.Length; row++)
        {
            if (rows.Targets[row] > 0.5f) positives += rows.Weight(row);
            else negatives += rows.Weight(row);
        }

        var area = AreaUnderRoc(rows);
        var (values, total) = (new double[keys.Length], positives + negatives);
        double negativesBelow = 0, positivesBelow = 0;
        for (var i = 0; i < keys.Length;)
        {
            double tiedPositives = 0, tiedNegatives = 0;
            var first = i;
            for (var key = keys[i]; i < keys.Length && keys[i].Equals(key); i++)
            {
                if (rows.Targets[order[i]] > 0.5f) tiedPositives += rows.Weight(order[i]);
                else tiedNegatives += rows.Weight(order[i]);
            }

            var ofPositive = (negativesBelow + (tiedNegatives / 2)) / negatives;
            var ofNegative = 1 - ((positivesBelow + (tiedPositives / 2)) / positives);
            for (var j = first; j < i; j++)
                values[order[j]] = area + (rows.Targets[order[j]] > 0.5f
                    ? (ofPositive - area) * total / positives
                    : (ofNegative - area) * total / negatives);
            negativesBelow += tiedNegatives;
            positivesBelow += tiedPositives;
        }

        return values;
    }

    /// <summary>The accuracy by rows: 1 where a row is predicted right, else 0.</summary>
    public static double[] AccuracyByRow(PredictedRows rows)
    {
        var values = new double[rows.Count];
        for (var row = 0; row < values.Length; row++)
            values[row] = ClassOf(rows.Prediction(row)) == ClassOf(rows.Target(row)) ? 1 : 0;
        return values;
    }

    /// <summary>The macro-accuracy by rows (<see cref="Metric.ByRow"/>): a row of a rare class moves it more.</summary>
    public static double[] MacroAccuracyByRow(PredictedRows rows)
    {
        var values = AccuracyByRow(rows);
        var (right, total) = (new double[Math.Max(rows.Width, 2)], new double[Math.Max(rows.Width, 2)]);
        for (var row = 0; row < values.Length; row++)
        {
            var actual = ClassOf(rows.Target(row));
            total[actual] += rows.Weight(row);
            right[actual] += rows.Weight(row) * values[row];
        }

        var (all, present, mean) = (total.Sum(), total.Count(weight => weight > 0), MacroAccuracy(rows));
        for (var row = 0; row < values.Length; row++)
        {
            var actual = ClassOf(rows.Target(row));
            var away = values[row] - (right[actual] / total[actual]);
            values[row] = mean + (total[actual] > 0 ? away * all / (present * total[actual]) : 0);
        }

        return values;
    }

    /// <summary>The log-loss by rows: what each row adds to it.</summary>
    public static double[] LogLossByRow(PredictedRows rows)
    {
        var values = new double[rows.Count];
        for (var i = 0; i < rows.Predictions.Length; i++)
        {
            var probability = Math.Clamp((double)rows.Predictions[i], 1e-7, 1 - 1e-7);
            values[i / rows.Width] -= rows.Targets[i] * Math.Log(probability);
            if (rows.Width == 1) values[i] -= (1 - rows.Targets[i]) * Math.Log(1 - probability);
        }

        return values;
    }

    /// <summary>
    /// The class of one row: where the largest of its values is; with a single one, 1 if it is above 0.5 and 0 otherwise.
    /// </summary>
    /// <param name="values">Probabilities or targets, <c>[K]</c>.</param>
    public static int ClassOf(ReadOnlySpan<float> values) => values.Length == 1
        ? values[0] > 0.5f ? 1 : 0
        : TensorPrimitives.IndexOfMax(values);
}

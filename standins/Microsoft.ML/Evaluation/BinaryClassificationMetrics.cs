namespace Microsoft.ML.Data;

public class BinaryClassificationMetrics
{
    internal BinaryClassificationMetrics(BinaryCounts counts)
    {
        var (tp, fn, fp, tn) = (counts.Of(true, true), counts.Of(true, false), counts.Of(false, true), counts.Of(false, false));
        ConfusionMatrix = new ConfusionMatrix([[tp, fn], [fp, tn]]);
        (PositivePrecision, NegativePrecision) = (ConfusionMatrix.PerClassPrecision[0], ConfusionMatrix.PerClassPrecision[1]);
        (PositiveRecall, NegativeRecall) = (ConfusionMatrix.PerClassRecall[0], ConfusionMatrix.PerClassRecall[1]);
        Accuracy = (tp + tn) / (tp + tn + fp + fn);
        F1Score = ConfusionMatrix.Ratio(2 * PositivePrecision * PositiveRecall, PositivePrecision + PositiveRecall);
        AreaUnderRocCurve = counts.AreaUnderRocCurve();
        AreaUnderPrecisionRecallCurve = counts.AreaUnderPrecisionRecallCurve();
    }

    public double AreaUnderRocCurve { get; }
    public double Accuracy { get; }
    public double PositivePrecision { get; }
    public double PositiveRecall { get; }
    public double NegativePrecision { get; }
    public double NegativeRecall { get; }
    public double F1Score { get; }
    public double AreaUnderPrecisionRecallCurve { get; }
    public ConfusionMatrix ConfusionMatrix { get; }
}

public sealed class CalibratedBinaryClassificationMetrics : BinaryClassificationMetrics
{
    internal CalibratedBinaryClassificationMetrics(BinaryCounts counts) : base(counts)
    {
        LogLoss = counts.Rows.Average(r => -Math.Log2(r.IsPositive ? r.Probability : 1.0 - r.Probability));
        Entropy = counts.Rows.GroupBy(r => r.IsPositive).Select(g => (double)g.Count() / counts.Rows.Count).Sum(p => -p * Math.Log2(p));
        LogLossReduction = (Entropy - LogLoss) / Entropy;
    }

    /// <summary>In bits per row, as in the real one.</summary>
    public double LogLoss { get; }
    public double LogLossReduction { get; }
    public double Entropy { get; }
}

/// <summary>Counts by true class (row) and predicted class (column).</summary>
public sealed class ConfusionMatrix
{
    internal ConfusionMatrix(double[][] counts)
    {
        Counts = counts;
        PerClassRecall = counts.Select((row, i) => Ratio(row[i], row.Sum())).ToArray();
        PerClassPrecision = counts.Select((row, i) => Ratio(row[i], counts.Sum(r => r[i]))).ToArray();
    }

    public IReadOnlyList<double> PerClassPrecision { get; }
    public IReadOnlyList<double> PerClassRecall { get; }
    public IReadOnlyList<IReadOnlyList<double>> Counts { get; }
    public int NumberOfClasses => Counts.Count;
    public double GetCountForClassPair(int predictedClassIndicatorIndex, int actualClassIndicatorIndex)
        => Counts[actualClassIndicatorIndex][predictedClassIndicatorIndex];
    public string GetFormattedConfusionTable() => string.Join('\n', Counts.Select(row => string.Join('\t', row)));
    internal static double Ratio(double part, double whole) => whole > 0 ? part / whole : 0;
}

/// <summary>The rows that are evaluated. A score above 0 predicts "positive": what PredictedLabel says is not read.</summary>
internal sealed record BinaryCounts(IReadOnlyList<(bool IsPositive, float Score, float Probability)> Rows)
{
    public static BinaryCounts Read(IDataView data, string label, string score, DataViewSchema.Column? probability, string predictedLabel)
    {
        data.Schema.Require(predictedLabel, "PredictedLabel");
        var (labelColumn, scoreColumn) = (data.Schema.Require(label, "Label"), data.Schema.RequireSingle(score, "score"));
        using var cursor = data.GetRowCursor(probability is { } column ? [labelColumn, scoreColumn, column] : [labelColumn, scoreColumn]);
        var (readLabel, readScore) = (LabelReader.Create(cursor, labelColumn), LabelReader.Create(cursor, scoreColumn));
        var readProbability = probability is null ? () => float.NaN : LabelReader.Create(cursor, probability.Value);
        var rows = new List<(bool, float, float)>();
        while (cursor.MoveNext())
        {
            var (truth, value) = (readLabel(), readScore());
            if (float.IsFinite(value) && !float.IsNaN(truth))
                rows.Add((truth > 0, value, readProbability()));
        }
        return new BinaryCounts(rows);
    }

    public double Of(bool isPositive, bool predictedPositive) => Rows.Count(r => r.IsPositive == isPositive && r.Score > 0 == predictedPositive);

    /// <summary>The chance that a positive row scores above a negative one; a tie counts half.</summary>
    public double AreaUnderRocCurve()
    {
        double positives = Rows.Count(r => r.IsPositive);
        if (positives == 0 || positives == Rows.Count)
            throw new ArgumentException($"AUC is not defined when there is no {(positives == 0 ? "positive" : "negative")} class in the data");
        var (area, below) = (0.0, 0.0);
        foreach (var tied in Rows.GroupBy(r => r.Score).OrderBy(g => g.Key))
        {
            double positive = tied.Count(r => r.IsPositive);
            var negative = tied.Count() - positive;
            area += positive * (below + (negative / 2));
            below += negative;
        }
        return area / (positives * (Rows.Count - positives));
    }

    public double AreaUnderPrecisionRecallCurve()
    {
        double positives = Rows.Count(r => r.IsPositive);
        var (area, precision, seen, hits) = (0.0, 1.0, 0.0, 0.0);
        foreach (var row in Rows.OrderByDescending(r => r.Score))
        {
            seen++;
            hits += row.IsPositive ? 1 : 0;
            // Recall only grows at a positive row: there, the mean of the precisions before and after it.
            area += row.IsPositive ? (precision + (hits / seen)) / 2 / positives : 0;
            precision = hits / seen;
        }
        return area;
    }
}

namespace Microsoft.ML.Data;

public class BinaryClassificationMetrics
{
    internal BinaryClassificationMetrics(BinaryCounts counts)
    {
        var (tp, fn, fp, tn) = (counts.TruePositives, counts.FalseNegatives, counts.FalsePositives, counts.TrueNegatives);
        AreaUnderRocCurve = counts.AreaUnderRocCurve();
        AreaUnderPrecisionRecallCurve = counts.AreaUnderPrecisionRecallCurve();
        Accuracy = (tp + tn) / (tp + tn + fp + fn);
        PositivePrecision = ConfusionMatrix.Ratio(tp, tp + fp);
        PositiveRecall = ConfusionMatrix.Ratio(tp, tp + fn);
        NegativePrecision = ConfusionMatrix.Ratio(tn, tn + fn);
        NegativeRecall = ConfusionMatrix.Ratio(tn, tn + fp);
        F1Score = ConfusionMatrix.Ratio(2 * PositivePrecision * PositiveRecall, PositivePrecision + PositiveRecall);
        ConfusionMatrix = new ConfusionMatrix([[tp, fn], [fp, tn]], ["positive", "negative"]);
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
        LogLoss = counts.LogLoss;
        Entropy = BinaryCounts.Entropy(counts.PositiveFraction);
        LogLossReduction = (Entropy - LogLoss) / Entropy;
    }

    /// <summary>In bits per row, as in the real one.</summary>
    public double LogLoss { get; }

    public double LogLossReduction { get; }

    public double Entropy { get; }
}

/// <summary>What was counted over the rows. A score above 0 predicts "positive": the column PredictedLabel is not read.</summary>
internal sealed class BinaryCounts
{
    private readonly List<(float Score, bool IsPositive)> _rows = [];
    private double _logLoss;

    public double TruePositives { get; private set; }

    public double FalseNegatives { get; private set; }

    public double FalsePositives { get; private set; }

    public double TrueNegatives { get; private set; }

    public double LogLoss => _logLoss / _rows.Count;

    public double PositiveFraction => (TruePositives + FalseNegatives) / _rows.Count;

    public static double Entropy(double p) => p is <= 0 or >= 1 ? 0 : -(p * Math.Log2(p)) - ((1 - p) * Math.Log2(1 - p));

    public static BinaryCounts Read(IDataView data, string label, string score, string probability)
    {
        var labelColumn = data.Schema.Require(label, "Label");
        if (labelColumn.Type is not (BooleanDataViewType or KeyDataViewType { Count: 2 })
            && labelColumn.Type != NumberDataViewType.Single && labelColumn.Type != NumberDataViewType.Double)
            throw SchemaExtensions.Mismatch("label", label, "Single, Double, Boolean, or a Key with cardinality 2", labelColumn.Type);
        DataViewSchema.Column[] columns = [labelColumn, Real(score, "score"), .. probability is null ? [] : new[] { Real(probability, "probability") }];
        using var cursor = data.GetRowCursor(columns);
        var readLabel = LabelReader.Create(cursor, labelColumn);
        var readScore = LabelReader.Create(cursor, columns[1]);
        var readProbability = probability is null ? () => float.NaN : LabelReader.Create(cursor, columns[2]);
        var counts = new BinaryCounts();
        while (cursor.MoveNext())
        {
            var (truth, value) = (readLabel(), readScore());
            if (float.IsFinite(value) && !float.IsNaN(truth))
                counts.Add(truth > 0, value, readProbability());
        }
        return counts;

        DataViewSchema.Column Real(string name, string role)
        {
            var column = data.Schema.Require(name, role);
            return column.Type == NumberDataViewType.Single ? column : throw SchemaExtensions.Mismatch(role, name, "Single", column.Type);
        }
    }

    /// <summary>The chance that a positive row scores above a negative one; a tie counts half.</summary>
    public double AreaUnderRocCurve()
    {
        var positives = _rows.Count(r => r.IsPositive);
        var negatives = _rows.Count - positives;
        if (positives == 0 || negatives == 0)
            throw new ArgumentException($"AUC is not defined when there is no {(positives == 0 ? "positive" : "negative")} class in the data");
        var (area, below) = (0.0, 0.0);
        foreach (var tied in _rows.GroupBy(r => r.Score).OrderBy(g => g.Key))
        {
            double positive = tied.Count(r => r.IsPositive);
            var negative = tied.Count() - positive;
            area += positive * (below + (negative / 2));
            below += negative;
        }
        return area / ((double)positives * negatives);
    }

    public double AreaUnderPrecisionRecallCurve()
    {
        double positives = _rows.Count(r => r.IsPositive);
        var (area, precision, seen, hits) = (0.0, 1.0, 0.0, 0.0);
        foreach (var row in _rows.OrderByDescending(r => r.Score))
        {
            seen++;
            hits += row.IsPositive ? 1 : 0;
            // Recall only grows at a positive row: there, the mean of the precisions before and after it.
            if (row.IsPositive)
                area += (precision + (hits / seen)) / 2 / positives;
            precision = hits / seen;
        }
        return area;
    }

    private void Add(bool isPositive, float score, float probability)
    {
        _rows.Add((score, isPositive));
        _logLoss -= Math.Log2(isPositive ? probability : 1.0 - probability);
        if (isPositive && score > 0)
            TruePositives++;
        else if (isPositive)
            FalseNegatives++;
        else if (score > 0)
            FalsePositives++;
        else
            TrueNegatives++;
    }
}

namespace Microsoft.ML.Data;

public class BinaryClassificationMetrics
{
    /// <summary>A score above 0 predicts "positive": what PredictedLabel says is not read.</summary>
    internal BinaryClassificationMetrics(IReadOnlyList<BinaryRow> rows)
    {
        double Of(bool isPositive, bool predicted) => rows.Count(r => r.IsPositive == isPositive && r.Score > 0 == predicted);
        ConfusionMatrix = new ConfusionMatrix([[Of(true, true), Of(true, false)], [Of(false, true), Of(false, false)]]);
        (PositivePrecision, NegativePrecision) = (ConfusionMatrix.Precision(0), ConfusionMatrix.Precision(1));
        (PositiveRecall, NegativeRecall) = (ConfusionMatrix.Recall(0), ConfusionMatrix.Recall(1));
        Accuracy = (Of(true, true) + Of(false, false)) / rows.Count;
        F1Score = ConfusionMatrix.Ratio(2 * PositivePrecision * PositiveRecall, PositivePrecision + PositiveRecall);
        double positives = rows.Count(r => r.IsPositive);
        if (positives == 0 || positives == rows.Count)
            throw new ArgumentException($"AUC is not defined when there is no {(positives == 0 ? "positive" : "negative")} class in the data");

        // The chance that a positive row scores above a negative one; a tie counts half.
        var below = 0.0;
        foreach (var tied in rows.GroupBy(r => r.Score).OrderBy(g => g.Key))
        {
            double positive = tied.Count(r => r.IsPositive), negative = tied.Count() - positive;
            AreaUnderRocCurve += positive * (below + (negative / 2)) / (positives * (rows.Count - positives));
            below += negative;
        }

        // Recall only grows at a positive row: there, the mean of the precisions before and after it.
        var (precision, hits) = (1.0, 0.0);
        foreach (var (index, row) in rows.OrderByDescending(r => r.Score).Index())
        {
            hits += row.IsPositive ? 1 : 0;
            AreaUnderPrecisionRecallCurve += row.IsPositive ? (precision + (hits / (index + 1))) / 2 / positives : 0;
            precision = hits / (index + 1);
        }
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
    internal CalibratedBinaryClassificationMetrics(IReadOnlyList<BinaryRow> rows) : base(rows)
    {
        LogLoss = rows.Average(r => -Math.Log2(r.IsPositive ? r.Probability : 1.0 - r.Probability));
        Entropy = rows.GroupBy(r => r.IsPositive).Select(g => (double)g.Count() / rows.Count).Sum(p => -p * Math.Log2(p));
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
    internal ConfusionMatrix(double[][] counts) => Counts = counts;
    public IReadOnlyList<IReadOnlyList<double>> Counts { get; }
    public int NumberOfClasses => Counts.Count;
    public string GetFormattedConfusionTable() => string.Join('\n', Counts.Select(row => string.Join('\t', row)));
    internal double Precision(int i) => Ratio(Counts[i][i], Counts.Sum(row => row[i]));
    internal double Recall(int i) => Ratio(Counts[i][i], Counts[i].Sum());
    internal static double Ratio(double part, double whole) => whole > 0 ? part / whole : 0;
}

internal readonly record struct BinaryRow(bool IsPositive, double Score, double Probability)
{
    public static IReadOnlyList<BinaryRow> Read(IDataView data, string label, string score, string probability, string predictedLabel)
    {
        data.Schema.Require(predictedLabel, "PredictedLabel");
        return Numbers.Read(data, [data.Schema.Require(label, "label"), data.Schema.RequireSingle(score, "score"),
            data.Schema.RequireSingle(probability, "probability")]).Where(row => !double.IsNaN(row[0]) && double.IsFinite(row[1]))
            .Select(row => new BinaryRow(row[0] > 0, row[1], row[2])).ToArray();
    }
}

/// <summary>Columns as numbers: true is 1, a key counts from 0 on, missing is NaN.</summary>
internal static class Numbers
{
    /// <summary>An array per row: of all columns, or all slots of a vector.</summary>
    public static IEnumerable<double[]> Read(IDataView data, params DataViewSchema.Column[] columns)
    {
        using var cursor = data.GetRowCursor(columns);
        var readers = columns.Select(c => c.Type.ItemType().RawType.For<Func<double[]>>(Reader<int>, cursor, c)).ToArray();
        while (cursor.MoveNext())
            yield return readers.SelectMany(read => read()).ToArray();
    }

    private static Func<double[]> Reader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type.ItemType() is not (BooleanDataViewType or KeyDataViewType) && typeof(T) != typeof(float) && typeof(T) != typeof(double))
            throw SchemaExtensions.Mismatch("label", column.Name, "Single, Double, Boolean or Key", column.Type);
        var (read, isKey) = (Values.Reader<T>(row, column), column.Type.ItemType() is KeyDataViewType);
        return () => Array.ConvertAll(read(), value => Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && isKey
            ? number > 0 ? number - 1 : double.NaN : number);
    }
}

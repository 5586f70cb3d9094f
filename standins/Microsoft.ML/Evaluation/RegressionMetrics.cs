namespace Microsoft.ML.Data;

public sealed class RegressionMetrics
{
    private RegressionMetrics(IReadOnlyCollection<(double Label, double Score)> rows)
    {
        if (rows.Count == 0)
            return;
        MeanAbsoluteError = rows.Average(r => Math.Abs(r.Label - r.Score));
        MeanSquaredError = rows.Average(r => (r.Label - r.Score) * (r.Label - r.Score));
        RootMeanSquaredError = Math.Sqrt(MeanSquaredError);
        LossFunction = MeanSquaredError;
        var mean = rows.Average(r => r.Label);
        var variance = rows.Average(r => (r.Label - mean) * (r.Label - mean));
        RSquared = variance == 0 ? double.NaN : 1 - (MeanSquaredError / variance);
    }

    public double MeanAbsoluteError { get; }

    public double MeanSquaredError { get; }

    public double RootMeanSquaredError { get; }

    public double LossFunction { get; }

    public double RSquared { get; }

    internal static RegressionMetrics Read(IDataView data, string label, string score)
    {
        var (labelColumn, scoreColumn) = (Real(label, "label"), Real(score, "score"));
        using var cursor = data.GetRowCursor([labelColumn, scoreColumn]);
        var (readLabel, readScore) = (LabelReader.Create(cursor, labelColumn), LabelReader.Create(cursor, scoreColumn));
        var rows = new List<(double Label, double Score)>();
        while (cursor.MoveNext())
        {
            var (truth, value) = (readLabel(), readScore());
            if (!float.IsNaN(truth) && !float.IsNaN(value))
                rows.Add((truth, value));
        }
        return new RegressionMetrics(rows);

        DataViewSchema.Column Real(string name, string role)
        {
            var column = data.Schema.Require(name, role);
            return column.Type == NumberDataViewType.Single ? column : throw SchemaExtensions.Mismatch(role, name, "Single", column.Type);
        }
    }
}

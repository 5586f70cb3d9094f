using System.Globalization;
using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

public sealed class RegressionMetrics
{
    internal RegressionMetrics(IDataView data, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        using var cursor = data.GetRowCursor([label, score]);
        var (readLabel, readScore) = (LabelReader.Create(cursor, label), LabelReader.Create(cursor, score));
        var rows = new List<(double Label, double Score)>();
        while (cursor.MoveNext())
            rows.Add((readLabel(), readScore()));
        rows.RemoveAll(r => double.IsNaN(r.Label) || double.IsNaN(r.Score));
        MeanAbsoluteError = rows.Average(r => Math.Abs(r.Label - r.Score));
        MeanSquaredError = rows.Average(r => Math.Pow(r.Label - r.Score, 2));
        var mean = rows.Average(r => r.Label);
        RSquared = 1 - (MeanSquaredError / rows.Average(r => Math.Pow(r.Label - mean, 2)));
    }

    public double MeanAbsoluteError { get; }
    public double MeanSquaredError { get; }
    public double RootMeanSquaredError => Math.Sqrt(MeanSquaredError);
    public double LossFunction => MeanSquaredError;
    public double RSquared { get; }
}

/// <summary>Reads a label as a number: true is 1, a key counts from 0 on, missing is NaN.</summary>
internal static class LabelReader
{
    public static Func<float> Create(DataViewRow row, DataViewSchema.Column label)
    {
        if (label.Type is not (BooleanDataViewType or KeyDataViewType) && label.Type != NumberDataViewType.Single && label.Type != NumberDataViewType.Double)
            throw SchemaExtensions.Mismatch("label", label.Name, "Single, Double, Boolean or Key", label.Type);
        var read = label.Type.RawType.For<Func<float>>(Create<int>, row, label);
        return label.Type is not KeyDataViewType ? read : () => read() is var key && key > 0 ? key - 1 : float.NaN;
    }

    private static Func<float> Create<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var read = Values.Reader<T>(row, column);
        return () => Convert.ToSingle(read()[0], CultureInfo.InvariantCulture);
    }
}

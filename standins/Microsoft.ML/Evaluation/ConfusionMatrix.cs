using System.Globalization;
using System.Text;

namespace Microsoft.ML.Data;

/// <summary>Counts by true class (row) and predicted class (column).</summary>
public sealed class ConfusionMatrix
{
    private readonly IReadOnlyList<string> _names;

    internal ConfusionMatrix(double[][] counts, IReadOnlyList<string> names)
    {
        _names = names;
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

    public string GetFormattedConfusionTable()
    {
        var text = new StringBuilder("Confusion table (rows: truth, columns: prediction)").AppendLine();
        text.AppendJoin('\t', _names.Prepend("").Append("recall")).AppendLine();
        for (var i = 0; i < NumberOfClasses; i++)
            text.AppendJoin('\t', Counts[i].Select(c => c.ToString("N0", CultureInfo.InvariantCulture)).Prepend(_names[i]).Append(Fraction(PerClassRecall[i]))).AppendLine();
        return text.AppendJoin('\t', PerClassPrecision.Select(Fraction).Prepend("precision")).AppendLine().ToString();
    }

    internal static double Ratio(double part, double whole) => whole > 0 ? part / whole : 0;

    private static string Fraction(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}

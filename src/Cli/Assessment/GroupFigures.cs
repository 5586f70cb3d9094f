using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>The figures of the test rows that have one value in a column.</summary>
/// <param name="Name">The value.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Figure">The first figure of the task.</param>
/// <param name="Actual">The share of the positive class, or the mean of the numbers; NaN for several classes.</param>
/// <param name="Excess">By how much predictions are too high on average: probabilities, or numbers; NaN for several classes.</param>
/// <param name="IsWorse">Whether the figure is worse than that of all test rows, beyond what chance does to one of so many groups.</param>
/// <param name="IsBiased">Whether predictions are too high or too low, beyond what chance does to one of so many groups.</param>
internal sealed record GroupFigure(
    string Name, int Rows, Interval Figure, double Actual, Interval Excess, bool IsWorse, bool IsBiased);

/// <summary>Figures by the values of one column: is the model as good for all? Only values with enough rows are looked at.</summary>
/// <param name="Column">The column.</param>
/// <param name="Metric">The figure.</param>
/// <param name="Groups">Its values, the most frequent first.</param>
/// <param name="Others">The values that have too few test rows, or come behind as many as are shown.</param>
internal sealed record GroupFigures(string Column, Metric Metric, IReadOnlyList<GroupFigure> Groups, int Others)
{
    /// <summary>The fewest rows of a value; with fewer, intervals say nothing.</summary>
    public const int FewestRows = 50;

    // Of an area under the curve, of each class.
    private const int FewestOfClass = 5;
    private const int MostGroups = 10;
    private const int MostColumns = 3;

    /// <summary>Looks at the column of groups, if there is one, and at columns of categories, the most important first.</summary>
    /// <param name="trained">The network.</param>
    /// <param name="test">Its test rows, as a table.</param>
    /// <param name="group">The column whose equal values stayed together; null = none.</param>
    /// <param name="importances">Which columns matter; null = not known.</param>
    public static IReadOnlyList<GroupFigures> Of(TrainedTable trained, TestTable test, string? group, ColumnImportances? importances)
    {
        var order = importances?.Columns.Select(column => column.Column).ToList() ?? [];
        var categories = trained.Schema.Features.Columns.OfType<CategoricalFeature>().Select(column => column.Name)
            .Where(test.Has)
            .OrderBy(name => order.IndexOf(name) is >= 0 and var place ? place : int.MaxValue);
        var columns = new[] { group }.OfType<string>().Concat(categories)
            .Select(name => (Name: name, Rows: Divide(test.Column(name))))
            .Where(column => column.Rows.Count(rows => rows.Rows.Length >= FewestRows) > 1)
            .Take(MostColumns).ToArray();
        var looks = columns.Sum(column => Math.Min(MostGroups, column.Rows.Count(rows => rows.Rows.Length >= FewestRows)));
        return [.. columns.Select(column => Look(trained, column.Name, column.Rows, looks))];
    }

    private static List<(string Name, int[] Rows)> Divide(TableColumn column) =>
    [
        .. Enumerable.Range(0, column.Count).GroupBy(row => column.IsMissing(row) ? "(missing)" : column[row].Trim())
            .Select(rows => (rows.Key, rows.ToArray())).OrderByDescending(rows => rows.Item2.Length)
    ];

    private static GroupFigures Look(TrainedTable trained, string column, List<(string Name, int[] Rows)> groups, int looks)
    {
        var (metric, whole) = trained.TestMetrics.First();
        var shown = groups.Where(group => group.Rows.Length >= FewestRows).Take(MostGroups).ToArray();
        var figures = Array.ConvertAll(shown, group => Figures(trained, metric, whole, group.Name, group.Rows, looks));
        return new GroupFigures(column, metric, figures, groups.Count - shown.Length);
    }

    private static GroupFigure Figures(TrainedTable trained, Metric metric, double whole, string name, int[] numbers, int looks)
    {
        var (all, width) = (trained.Tested.Rows, trained.Tested.Rows.Outputs);
        var rows = all.Select(numbers);
        var predictions = new float[rows.TargetArray.Length];
        for (var i = 0; i < numbers.Length; i++)
            trained.Tested.Predictions.AsSpan(numbers[i] * width, width).CopyTo(predictions.AsSpan(i * width));
        var predicted = new PredictedRows(predictions, rows.TargetArray, width, rows.WeightArray);

        // Of many looks one finds something by chance: each gets its part of the error (Bonferroni).
        var strict = Interval.Error / (2 * looks);
        var byRow = metric.ByRow(predicted);
        var weights = rows.WeightArray.AsSpan();
        var positives = rows.TargetArray.Count(target => target > 0.5f);
        if (metric == Metric.AreaUnderRocCurve && Math.Min(positives, rows.Count - positives) < FewestOfClass)
            Array.Fill(byRow, double.NaN);
        var figure = Interval.OfMean(byRow, weights);
        var surely = Interval.OfMean(byRow, weights, error: strict);
        var isWorse = metric.HigherIsBetter ? surely.IsBelow(whole) : surely.IsAbove(whole);
        if (width > 1)
            return new GroupFigure(
                name, rows.Count, figure, double.NaN, new Interval(double.NaN, double.NaN, double.NaN), isWorse, IsBiased: false);
        double[] excess = [.. predictions.Zip(rows.TargetArray, (said, actual) => (double)said - actual)];
        double[] actual = [.. rows.TargetArray.Select(target => target + rows.TargetOffset)];
        var sureExcess = Interval.OfMean(excess, weights, error: strict);
        return new GroupFigure(
            name,
            rows.Count,
            figure,
            Interval.OfMean(actual, weights).Value,
            Interval.OfMean(excess, weights),
            isWorse,
            sureExcess.IsAbove(0) || sureExcess.IsBelow(0));
    }
}

using Microsoft.ML;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>
/// A linear model of ML.NET's beside the network, on the same columns and rows: logistic regression by L-BFGS, or linear regression by
/// stochastic dual coordinate ascent. Where it is as good, it is the better choice.
/// </summary>
/// <remarks>
/// Numbers are standardized, and a column of many categories, for which the network learns a vector, is a flag for each category. Where
/// learning would take long, some of the rows are drawn.
/// </remarks>
internal sealed class LinearModel
{
    // Rows times what is not 0 in them, times classes: a second or two.
    private const long MostProducts = 1 << 21;

    private LinearModel(string trainer, int rows, int allRows, MetricValues test, IReadOnlyList<(Metric, Interval)> ahead) =>
        (Trainer, Rows, AllRows, Test, NetworkAhead) = (trainer, rows, allRows, test, ahead);

    /// <summary>ML.NET's name of its trainer.</summary>
    public string Trainer { get; }

    /// <summary>The rows that it learned from.</summary>
    public int Rows { get; }

    /// <summary>The rows that the network learned from.</summary>
    public int AllRows { get; }

    /// <summary>Its figures on the test rows.</summary>
    public MetricValues Test { get; }

    /// <summary>By how much the network is better by each figure, on the same test rows; below 0 where it is worse.</summary>
    public IReadOnlyList<(Metric Metric, Interval Ahead)> NetworkAhead { get; }

    /// <summary>Learns, and tests on the rows that the network was tested on.</summary>
    /// <param name="trained">The network.</param>
    /// <param name="table">The rows that it learned from.</param>
    /// <param name="classWeights">How much each class counts; null = every row the same.</param>
    /// <param name="clusters">For each test row what it belongs to; empty = nothing.</param>
    /// <param name="seed">The seed of what is drawn.</param>
    /// <returns>Null where ML.NET's trainer fails, as its coordinate ascent does on labels that are noise.</returns>
    public static LinearModel? Of(TrainedTable trained, CsvTable table, ClassWeights? classWeights, int[] clusters, int seed)
    {
        var (schema, tested) = (trained.Schema, trained.Tested.Rows);
        var most = (int)Math.Min(
            table.RowCount, Math.Max(1000, MostProducts / (ValuesOfRow(schema.Features, tested) * tested.Outputs)));
        var rows = table;
        if (most < table.RowCount)
        {
            int[] drawn = [.. Enumerable.Range(0, table.RowCount)];
            new Random(seed).Shuffle(drawn);
            Array.Sort(drawn, 0, most);
            rows = table.Select(drawn.AsSpan(0, most));
        }

        var learned = schema.ToRows(rows).CountedFrom(tested.TargetOffset);
        var form = new LinearRows(schema.Features, learned);
        var weights = classWeights?.For(schema.Label.Classes, learned);
        var ml = new MLContext(seed);
        var trainer = LinearTrainer.For(schema.Label.Task.Kind);
        float[] predictions;
        try
        {
            var fitted = trainer.Create(ml).Fit(form.ViewToLearn(ml, learned, weights));
            predictions = trainer.Predictions(fitted.Transform(form.View(ml, tested)), form, tested.TargetArray.Length);
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException)
        {
            return null;
        }

        if (!Array.TrueForAll(predictions, float.IsFinite)) return null;
        var predicted = new PredictedRows(predictions, tested.TargetArray, tested.Outputs, tested.WeightArray);
        var test = MetricValues.Measure([.. trained.TestMetrics.Select(figure => figure.Metric)], predicted);
        return new LinearModel(trainer.Name, learned.Count, table.RowCount, test, trained.AheadOf(predictions, clusters));
    }

    // A value for each column, but for a text one for each word.
    private static long ValuesOfRow(FeatureMap map, TrainingData rows)
    {
        long values = 0;
        if (map.Columns.Any(column => column is TextFeature))
            rows.FeatureRows.Visit((_, row, _) => values += row.Length - row.Count(0f));
        return map.Columns.Count + (values / rows.Count);
    }
}

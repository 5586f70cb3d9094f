using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// What can be said of test rows without a model, by the share of each class or the mean of their labels alone, and whether a model says
/// more than that.
/// </summary>
internal sealed class Baseline
{
    /// <summary>Compares predictions with what their rows' labels alone would give.</summary>
    /// <param name="tested">The rows and their predictions.</param>
    public Baseline(TestedRows tested)
    {
        var rows = tested.Rows;
        double total = 0, sum = 0, squares = 0;
        var counts = new double[Math.Max(2, rows.Outputs)];
        for (var row = 0; row < rows.Count; row++)
        {
            var weight = Weight(rows, row);
            var target = rows.Target(row);
            total += weight;
            sum += weight * target[0];
            squares += weight * target[0] * target[0];
            if (rows.Outputs == 1) counts[target[0] > 0.5f ? 1 : 0] += weight;
            else
                for (var i = 0; i < counts.Length; i++) counts[i] += weight * target[i];
        }

        Mean = sum / total;
        Deviation = Math.Sqrt(Math.Max(0, (squares / total) - (Mean * Mean)));
        Shares = [.. counts.Select(count => count / total)];
        MostFrequent = Array.IndexOf(counts, counts.Max());
        Entropy = -Shares.Where(share => share > 0).Sum(share => share * Math.Log(share));
    }

    /// <summary>The mean of the labels, of a number.</summary>
    public double Mean { get; }

    /// <summary>The standard deviation of the labels: the root-mean-square error of always saying their mean.</summary>
    public double Deviation { get; }

    /// <summary>The share of each class; of two classes the positive one is the second.</summary>
    public IReadOnlyList<double> Shares { get; }

    /// <summary>The class that most rows have.</summary>
    public int MostFrequent { get; }

    /// <summary>The log-loss, in nats, of giving every row the share of each class.</summary>
    public double Entropy { get; }

    /// <summary>Whether predictions are better than what is said here, by more than chance gives (a paired test over the rows).</summary>
    /// <remarks>
    /// Measured by what training makes small: the log-loss of classes, the squared error of numbers. Rows whose labels are all alike tell
    /// nothing: false.
    /// </remarks>
    /// <param name="tested">The rows that this was made of, with the predictions.</param>
    /// <param name="task">What is predicted.</param>
    public bool IsBeatenBy(TestedRows tested, LearningTask task)
    {
        if (task == LearningTask.Regression ? Deviation == 0 : Shares.Max() == 1) return false;
        return RowLead.Of(tested.Rows, LossAlone, row => RowLead.LossOf(tested, row, task)).IsBeyondChance;

        double LossAlone(int row)
        {
            var target = tested.Rows.Target(row);
            return task == LearningTask.Regression
                ? RowLead.Square(target[0] - Mean)
                : RowLead.OfProbability(Shares[RowLead.ClassOf(target)]);
        }
    }

    /// <summary>What to tell whoever has the model, where it is no better; null where it is.</summary>
    /// <param name="trained">The model.</param>
    public static string? Warn(TrainedTable trained)
    {
        var task = trained.Schema.Label.Task.Kind;
        var baseline = new Baseline(trained.Tested);
        if (baseline.IsBeatenBy(trained.Tested, task)) return null;
        var (metric, alone, what) = task == LearningTask.Regression
            ? (Metric.RootMeanSquaredError, baseline.Deviation, "always saying the mean")
            : (Metric.LogLoss, baseline.Entropy, "giving every row the share of each class");
        var figure = metric.Format(trained.TestMetrics[metric] ?? double.NaN);
        return $"on the test rows this model is no better than {what} ({metric.Name} {figure} beside {metric.Format(alone)}): its columns "
            + $"do not say what {trained.Schema.Label.Column} will be, or there are too few rows to show it";
    }

    private static double Weight(TrainingData rows, int row) => rows.WeightArray is null ? 1 : rows.WeightArray[row];
}

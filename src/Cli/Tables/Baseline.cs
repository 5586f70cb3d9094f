using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// What can be said of test rows without a model, by the share of each class or the mean of their labels alone, and whether a model says
/// more than that.
/// </summary>
internal sealed class Baseline
{
    // A model that says nothing has an advantage beyond so many standard errors in one of 40 tests.
    private const double StandardErrors = 1.96;

    // Probabilities are kept so far from 0, as in the log-loss of the figures.
    private const double LeastProbability = 1e-7;

    private readonly bool _hasClasses;

    /// <summary>Compares predictions with what their rows' labels alone would give.</summary>
    /// <param name="tested">The rows and their predictions.</param>
    /// <param name="hasClasses">Whether a class is predicted, not a number.</param>
    public Baseline(TestedRows tested, bool hasClasses)
    {
        _hasClasses = hasClasses;
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
        Entropy = Shares.Where(share => share > 0).Sum(share => share * Math.Log(1 / share));
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
    public bool IsBeatenBy(TestedRows tested)
    {
        var rows = tested.Rows;
        if (_hasClasses ? Shares.Max() == 1 : Deviation == 0) return false;
        double total = 0, sum = 0, squares = 0, squaredWeights = 0;
        for (var row = 0; row < rows.Count; row++)
        {
            var weight = Weight(rows, row);
            var target = rows.Target(row);
            var advantage = Loss(target, []) - Loss(target, tested.Predictions.AsSpan(row * rows.Outputs, rows.Outputs));
            total += weight;
            squaredWeights += weight * weight;
            sum += weight * advantage;
            squares += weight * advantage * advantage;
        }

        var mean = sum / total;
        var error = Math.Sqrt(Math.Max(0, (squares / total) - (mean * mean)) * squaredWeights) / total;
        return mean > StandardErrors * error;

        double Loss(ReadOnlySpan<float> target, ReadOnlySpan<float> predicted)
        {
            if (!_hasClasses)
            {
                var away = target[0] - (predicted.IsEmpty ? Mean : predicted[0]);
                return away * away;
            }

            var place = target.Length == 1 ? (target[0] > 0.5f ? 1 : 0) : target.IndexOf(1f);
            var probability = predicted.IsEmpty ? Shares[place]
                : target.Length > 1 ? predicted[place]
                : place == 1 ? predicted[0] : 1 - predicted[0];
            return -Math.Log(Math.Clamp(probability, LeastProbability, 1));
        }
    }

    /// <summary>What to tell whoever has the model, where it is no better; null where it is.</summary>
    /// <param name="trained">The model.</param>
    public string? Warn(TrainedTable trained)
    {
        if (IsBeatenBy(trained.Tested)) return null;
        var (metric, alone, what) = Alone;
        var figure = metric.Format(trained.TestMetrics[metric] ?? double.NaN);
        return $"on the test rows this model is no better than {what} ({metric.Name} {figure} beside {metric.Format(alone)}): its columns "
            + $"do not say what {trained.Schema.Label.Column} will be, or there are too few rows to show it";
    }

    /// <summary>The figure that tells whether a model is better, what it is without one, and how that comes about.</summary>
    public (Metric Metric, double Value, string How) Alone => _hasClasses
        ? (Metric.LogLoss, Entropy, "giving every row the share of each class")
        : (Metric.RootMeanSquaredError, Deviation, "always saying the mean");

    private static double Weight(TrainingData rows, int row) => rows.WeightArray is null ? 1 : rows.WeightArray[row];
}

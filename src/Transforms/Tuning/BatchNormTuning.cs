using System.Globalization;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Transforms.Tuning;

namespace MlNetBatchNorm;

/// <summary>Settings that were tried, with how good they are on the folds.</summary>
public sealed class BatchNormTrial
{
    internal BatchNormTrial(TuningSettings settings, int rung, int epochs, Metric metric, IReadOnlyList<double> scores, TimeSpan time)
    {
        (Number, Settings, Changes, Options) = (settings.Number, settings.Texts, settings.Changes, settings.Options);
        (Rung, Epochs, Metric, Scores, Time) = (rung, epochs, metric, scores, time);
    }

    /// <summary>The number of the settings, from 1, which is that of the defaults.</summary>
    public int Number { get; }

    /// <summary>The value of each setting that is tuned, by its name, as <c>rate</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; }

    /// <summary>The options that were given, with these settings.</summary>
    public BatchNormNetworkOptions Options { get; }

    /// <summary>How far it came, from 1: settings that are good in few epochs are tried again in more.</summary>
    public int Rung { get; }

    /// <summary>The most epochs that each of its trainings had.</summary>
    public int Epochs { get; }

    /// <summary>
    /// For each fold the figure on its rows of a network that learned from other rows: the log-loss (in nats), or of numbers the
    /// root-mean-square error (in the label's unit; with <c>Loss.AbsoluteError</c> the mean size of an error). Smaller is better; infinity
    /// where training diverged.
    /// </summary>
    public IReadOnlyList<double> Scores { get; }

    /// <summary>The mean of <see cref="Scores"/>.</summary>
    public double Score => Scores.Average();

    /// <summary>The standard deviation of <see cref="Scores"/> over the folds.</summary>
    public double Deviation => BatchNormTuning.DeviationOf(Scores);

    /// <summary>The time that its trainings took, one after the other.</summary>
    public TimeSpan Time { get; }

    /// <summary>What differs from the defaults, for people.</summary>
    internal string Changes { get; }

    /// <summary>What <see cref="Scores"/> are.</summary>
    internal Metric Metric { get; }

    /// <summary>The trial as a line for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"trial {Number}: {Metric.Name} {Metric.Format(Score)} ± {Metric.Format(Deviation)} in {Epochs} epoch")
        + string.Create(CultureInfo.InvariantCulture, $"{(Epochs == 1 ? string.Empty : "s")}, {Time.TotalSeconds:0.0} s: {Changes}");
}

/// <summary>What a <see cref="BatchNormTuner"/> found.</summary>
public sealed class BatchNormTuning
{
    internal BatchNormTuning(IReadOnlyList<BatchNormTrial> trials, BatchNormTrial defaults, IReadOnlyList<BatchNormTrial> finalists)
    {
        (Trials, Defaults) = (trials, defaults);
        var best = finalists.Prepend(defaults).MinBy(trial => trial.Score)!;
        var (gain, error) = Lead(defaults, best);
        Leader = best;

        // Ties go to what was chosen on other tables: fewer surprises.
        (Best, Gain, GainError) = gain > error ? (best, gain, error) : (defaults, 0, 0);
    }

    /// <summary>
    /// Every trial in the order in which they ended; settings that were tried again in more epochs come once for each time.
    /// </summary>
    public IReadOnlyList<BatchNormTrial> Trials { get; }

    /// <summary>The trial of the defaults, in all of their epochs.</summary>
    public BatchNormTrial Defaults { get; }

    /// <summary>
    /// The best trial of those in all of their epochs; <see cref="Defaults"/> where none is better by more than the standard error of the
    /// difference over the folds.
    /// </summary>
    public BatchNormTrial Best { get; }

    /// <summary>The options to train with: those that were given, with the settings of <see cref="Best"/>.</summary>
    public BatchNormNetworkOptions BestOptions => Best.Options;

    /// <summary>
    /// By how much <see cref="Best"/> is better than <see cref="Defaults"/>: the mean over the folds of the differences of
    /// <see cref="BatchNormTrial.Scores"/>; 0 where it is the same. It flatters, since the best was chosen by the same folds.
    /// </summary>
    public double Gain { get; }

    /// <summary>The standard error of <see cref="Gain"/> over the folds.</summary>
    public double GainError { get; }

    /// <summary>The best by the mean of its scores, also where that may be chance.</summary>
    internal BatchNormTrial Leader { get; }

    /// <summary>By how much a trial is better than another on the same folds, and the standard error of that.</summary>
    internal static (double Gain, double Error) Lead(BatchNormTrial other, BatchNormTrial trial)
    {
        double[] gains = [.. other.Scores.Zip(trial.Scores, (before, after) => before - after)];
        return (gains.Average(), DeviationOf(gains) / Math.Sqrt(gains.Length));
    }

    /// <summary>The standard deviation of a sample; 0 of a single number.</summary>
    internal static double DeviationOf(IReadOnlyList<double> values)
    {
        var mean = values.Average();
        return values.Count < 2 ? 0 : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }
}

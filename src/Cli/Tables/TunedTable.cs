using System.Globalization;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How the options of a network were found, and what that brought.</summary>
/// <param name="Tuning">The trials.</param>
/// <param name="DefaultsMetrics">
/// The figures on the test rows of a network with the defaults, trained on the same rows; null = the defaults are the best.
/// </param>
/// <param name="TestAhead">By how much the tuned network is better on the test rows, by each figure; empty likewise.</param>
internal sealed record TunedTable(
    BatchNormTuning Tuning, MetricValues? DefaultsMetrics, IReadOnlyList<(Metric Metric, Interval Ahead)> TestAhead)
{
    /// <summary>The settings that were tried, the defaults among them.</summary>
    public int Settings => Tuning.Trials.Select(trial => trial.Number).Distinct().Count();

    /// <summary>What tuning brought on the folds of the rows to learn from.</summary>
    public string OnFolds()
    {
        var (defaults, leader) = (Tuning.Defaults, Tuning.Leader);
        var (name, folds) = (defaults.Metric.Name, defaults.Scores.Count);
        if (Settings == 1) return "There was no time for others than the defaults.";
        if (leader == defaults)
            return $"None of {Settings - 1} other settings beat the defaults, with {name} {Figure(defaults.Score)} on {folds} folds.";
        var (gain, error) = BatchNormTuning.Lead(defaults, leader);
        var lead = $"{name} {Figure(leader.Score)} beside {Figure(defaults.Score)} of the defaults on {folds} folds, a difference of "
            + $"{Figure(gain)} ± {Figure(error)} (standard error over the folds)";
        return Tuning.Best == defaults
            ? $"The best of {Settings - 1} other settings has {lead}: that may be chance, so the defaults stay."
            : $"The best settings have {lead}. They were chosen from {Settings} by these very folds, which flatters them.";

        string Figure(double value) => defaults.Metric.Format(value);
    }

    /// <summary>What tuning brought on the test rows, which no trial has seen; null where the defaults are the best.</summary>
    public string? OnTestRows(TrainedTable trained)
    {
        if (DefaultsMetrics is not { } before) return null;
        var figures = string.Join(", ", trained.TestMetrics.Select(
            figure => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)} tuned and "
                + $"{figure.Metric.Format(before[figure.Metric] ?? double.NaN)} with the defaults"));
        var metric = Tuning.Defaults.Metric;
        var ahead = TestAhead.First(figure => figure.Metric == metric).Ahead;
        var verdict = ahead.IsAbove(0) ? "better by more than chance gives"
            : ahead.IsBelow(0) ? "worse by more than chance gives: take the defaults"
            : "no further apart than chance gives";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"On {trained.TestRows:N0} test rows, which no trial has seen: {figures}. By the {metric.Name}, row by row: {verdict}.");
    }
}

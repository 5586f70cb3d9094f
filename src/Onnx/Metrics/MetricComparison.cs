using System.Globalization;

namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>How much worse a changed model is than it was, by the same metrics on the same rows.</summary>
/// <param name="Before">The figures of the model as it was.</param>
/// <param name="After">Those of the changed one.</param>
internal sealed record MetricComparison(MetricValues Before, MetricValues After)
{
    /// <summary>The loss that is allowed when none is said: a hundredth.</summary>
    public const double DefaultAllowedLoss = 0.01;

    /// <summary>How much worse each figure is; see <see cref="Metric.Loss"/>.</summary>
    public MetricValues Losses =>
        new(Before.Select(figure => (figure.Metric, figure.Metric.Loss(figure.Value, After[figure.Metric]!.Value))));

    /// <summary>
    /// What has become too bad, as a clause with the figure and both of its values; null when nothing has. Only the metrics by which models
    /// are judged count (<see cref="Metric.IsJudged"/>); one that was not defined before (an AUC with one class) says nothing.
    /// </summary>
    /// <param name="allowed">The largest loss, as <see cref="Metric.Loss"/> gives it.</param>
    public string? WhyTooLarge(double allowed)
    {
        foreach (var (metric, loss) in Losses)
        {
            var (before, after) = (Before[metric]!.Value, After[metric]!.Value);
            if (!metric.IsJudged || double.IsNaN(before) || loss <= allowed) continue;
            var unit = metric.HigherIsBetter ? string.Empty : " of itself";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{metric.Key} goes from {before:G6} to {after:G6}: a loss of {loss:G3}{unit}, more than the {allowed:G3} allowed");
        }

        return null;
    }
}

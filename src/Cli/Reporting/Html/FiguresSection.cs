using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>The figures on the test rows, each with what it means, beside what one could do without a model.</summary>
internal static class FiguresSection
{
    public static IEnumerable<XElement> Create(TrainedTable trained)
    {
        var baseline = new Baseline(trained.Tested);
        if (Baseline.Warn(trained) is { } warning) yield return Html.P(new XElement("strong", "Warning: "), warning + ".");
        yield return Html.H2("How good it is");
        yield return Html.P($"Measured on {Html.Count(trained.TestRows)} test rows that it has not seen in training.");
        yield return new XElement(
            "div",
            new XAttribute("class", "tiles"),
            trained.TestMetrics.Select(figure => new XElement(
                "div",
                figure.Metric.Name,
                new XElement(
                    "strong",
                    new XAttribute("data-figure", figure.Metric.Key),
                    new XAttribute("data-value", figure.Value.ToString("R", CultureInfo.InvariantCulture)),
                    double.IsFinite(figure.Value) ? figure.Metric.Format(figure.Value) : "not defined"),
                Html.P(
                    double.IsFinite(figure.Value)
                        ? Meaning(figure.Metric, figure.Value, trained.Schema.Label, baseline)
                        : "The test rows are all alike, so that there is nothing to compare."))));
        if (trained.Network.Model.OutOfFold is { } predicted)
            yield return Html.P(
                $"On the {Html.Count(predicted.Rows.Count)} rows to learn from, each predicted by the one member of the ensemble that did "
                + $"not learn from it: {string.Join(", ", predicted.Metrics.Values.Select(Text))}. A member alone is a little worse than "
                + "all of them together.");
    }

    private static string Text((Metric Metric, double Value) figure) => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)}";

    private static string Meaning(Metric metric, double value, LabelMap label, Baseline baseline) => metric switch
    {
        _ when metric == Metric.AreaUnderRocCurve =>
            $"Of one row with {label.PositiveClass} and one without, it gives the higher probability to the right one in "
            + $"{Html.Percent(value)} of all cases. Guessing: 50 %.",
        _ when metric == Metric.Accuracy || metric == Metric.MicroAccuracy =>
            $"{Html.Percent(value)} of the rows are predicted right. Always saying {label.Classes[baseline.MostFrequent]} would be right "
            + $"for {Html.Percent(baseline.Shares[baseline.MostFrequent])}.",
        _ when metric == Metric.MacroAccuracy =>
            $"A class has on average {Html.Percent(value)} of its rows recognized; rare classes count as much as frequent ones. "
            + $"Guessing: {Html.Percent(1.0 / label.Classes.Count)}.",
        _ when metric == Metric.LogLoss =>
            "How far the probabilities are off; smaller is better, 0 is perfect. "
            + $"Giving every row the share of each class: {metric.Format(baseline.Entropy)}.",
        _ when metric == Metric.RootMeanSquaredError =>
            $"The size of an error in the unit of {label.Column}, where large errors count more. "
            + $"Always saying the mean: {metric.Format(baseline.Deviation)}.",
        _ when metric == Metric.MeanAbsoluteError => $"How far a prediction is off on average, in the unit of {label.Column}.",
        _ when metric == Metric.RSquared =>
            $"It explains {Html.Percent(value)} of what makes {label.Column} differ from row to row. Always saying the mean: 0 %.",
        _ => string.Empty,
    };
}

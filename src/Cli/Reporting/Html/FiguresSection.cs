using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>The figures on the test rows, each with what it means, beside what one could do without a model.</summary>
internal static class FiguresSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        var (trained, baseline) = (found.Trained, found.Trained.BaseRate);
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
        foreach (var beside in Beside(found)) yield return beside;
    }

    // The same figures of a model that everybody can read.
    private static IEnumerable<XElement> Beside(ModelAssessment found)
    {
        if (found.Linear is not { } linear) yield break;
        yield return Html.H3("Beside a linear model");
        yield return Html.P(
            $"ML.NET's {linear.Trainer}, which learned from the same columns and "
            + (linear.Rows == linear.AllRows
                ? "rows"
                : $"{Html.Count(linear.Rows)} of the {Html.Count(linear.AllRows)} rows, drawn at random")
            + ", tested on the same rows. In brackets the interval for other test rows, in 95 of 100 cases; where that of the difference "
            + "has 0 in it, the one may be as good as the other.");
        yield return Html.Table(
            ["figure", "this network", "linear model", "the network is better by"],
            found.Figures.Zip(linear.NetworkAhead, (figure, ahead) => new object[]
            {
                figure.Metric.Name,
                Html.Number(VerdictSentences.Text(figure.Metric, figure.Value)),
                Html.Number(VerdictSentences.Text(figure.Metric, linear.Test[figure.Metric] ?? double.NaN)),
                Html.Number(VerdictSentences.Text(figure.Metric, ahead.Ahead)),
            }));
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

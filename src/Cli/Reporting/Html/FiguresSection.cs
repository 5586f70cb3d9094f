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
        var baseline = new Baseline(trained.Tested.Rows);
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
            + $"for {Html.Percent(baseline.MostFrequentShare)}.",
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

    /// <summary>What can be said of the test rows without looking at anything but their labels.</summary>
    private sealed class Baseline
    {
        public Baseline(TrainingData rows)
        {
            double total = 0, sum = 0, squares = 0;
            var counts = new double[Math.Max(2, rows.Outputs)];
            for (var row = 0; row < rows.Count; row++)
            {
                var weight = rows.WeightArray is null ? 1.0 : rows.WeightArray[row];
                var target = rows.Target(row);
                total += weight;
                sum += weight * target[0];
                squares += weight * target[0] * target[0];
                if (rows.Outputs == 1) counts[target[0] > 0.5f ? 1 : 0] += weight;
                else
                    for (var i = 0; i < counts.Length; i++) counts[i] += weight * target[i];
            }

            Deviation = Math.Sqrt(Math.Max(0, (squares / total) - (sum / total * (sum / total))));
            MostFrequent = Array.IndexOf(counts, counts.Max());
            MostFrequentShare = counts[MostFrequent] / total;
            Entropy = -counts.Where(count => count > 0).Sum(count => count / total * Math.Log(count / total));
        }

        public int MostFrequent { get; }

        public double MostFrequentShare { get; }

        public double Entropy { get; }

        public double Deviation { get; }
    }
}

using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>A number: predicted against actual, and how the errors lie.</summary>
internal static class RegressionSection
{
    private const int MostDots = 2000;
    private const int Bins = 25;
    private const string Unit = "as in the table";
    private static readonly double[] Shares = [0.5, 0.8, 0.9, 0.95];

    public static IEnumerable<XElement> Create(TrainedTable trained)
    {
        var (predictions, targets, label) = (trained.Tested.Predictions, trained.Tested.Rows.TargetArray, trained.Schema.Label.Column);
        var offset = trained.Tested.Rows.TargetOffset;
        if (offset != 0) label = string.Create(CultureInfo.InvariantCulture, $"{label} − {offset}");
        var both = Axis.For(string.Empty, predictions.Concat(targets).Select(value => (double)value)) with { Unit = Unit };
        var every = Math.Max(1, (targets.Length + MostDots - 1) / MostDots);
        (double X, double Y)[] shown =
        [
            .. Enumerable.Range(0, targets.Length).Where(row => row % every == 0)
                .Select(row => ((double)targets[row], (double)predictions[row])),
        ];
        double[] errors = [.. predictions.Zip(targets, (predicted, actual) => (double)predicted - actual)];

        yield return Html.H2("Where it is right and wrong");
        yield return Html.P("A point is a test row. On the dashed line the prediction is exactly right; above it, it is too high.");
        yield return new XElement(
            "div",
            new XAttribute("class", "charts"),
            Html.Figure(
                new Chart("Predicted against actual", both with { Label = $"{label}, actual" }, both with { Label = $"{label}, predicted" })
                    .Line([(both.From, both.From), (both.To, both.To)], "guide").Dots(shown, "faint", 2.5).ToSvg(),
                every == 1 ? "All test rows." : $"Every {every}th test row."),
            Histogram(errors));
        var sorted = errors.Select(Math.Abs).Order().ToArray();
        yield return Html.Table(
            ["of all test rows", "are off by at most"],
            Shares.Select(share => new object[]
            {
                Html.Percent(share),
                Html.Number(
                    Metric.MeanAbsoluteError.Format(
                        sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)])),
            }));
    }

    // The outermost errors would press all others into one bar: what is beyond the middle 98 % counts in the bars at the ends.
    private static XElement Histogram(double[] errors)
    {
        var sorted = errors.Order().ToArray();
        var axis = Axis.For("predicted − actual", sorted[(int)(0.01 * (sorted.Length - 1))..((int)(0.99 * (sorted.Length - 1)) + 1)]);
        axis = axis with { Unit = Unit };
        var counts = new double[Bins];
        foreach (var error in errors) counts[Math.Clamp((int)(axis.Place(error) * Bins), 0, Bins - 1)]++;
        var width = (axis.To - axis.From) / Bins;
        var chart = new Chart("Distribution of the errors", axis, new Axis("test rows", 0, 1.05 * counts.Max()) { Unit = Axis.Count })
            .Bars(counts.Select((count, i) => (axis.From + (i * width), axis.From + ((i + 1) * width), count)), "a");
        if (axis.From < 0 && axis.To > 0) chart.Line([(0, 0), (0, 1.05 * counts.Max())], "guide");
        return Html.Figure(
            chart.ToSvg(), "How far predictions are off; what is farther out than 98 % of the rows counts in the outermost bars.");
    }
}

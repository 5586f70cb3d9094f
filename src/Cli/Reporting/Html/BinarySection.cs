using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>Two classes: how well they are told apart, and whether the probabilities are what they say.</summary>
internal static class BinarySection
{
    private static readonly (double X, double Y)[] Diagonal = [(0, 0), (1, 1)];

    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        var trained = found.Trained;
        var (predictions, rows) = (trained.Tested.Predictions, trained.Tested.Rows);
        var positive = trained.Schema.Label.PositiveClass!;
        var curve = RocCurve.Of(predictions, rows.TargetArray, rows.WeightArray);

        yield return Html.H2("Where it is right and wrong");
        yield return Html.P($"Predicted is {positive} where its probability is above 50 %.");
        yield return ConfusionTable.Create(
            ConfusionMatrix.Of(predictions, rows.TargetArray, 1, rows.WeightArray), trained.Schema.Label.Classes);
        yield return Html.P(
            $"Another threshold may suit better: a lower one finds more of {positive} and raises more false alarms. The first curve shows "
                + "every choice; the closer it comes to the upper left corner, the better.");
        var charts = new XElement("div", new XAttribute("class", "charts"));
        if (curve.Count > 0) charts.Add(Html.Figure(
            new Chart("ROC curve", Share("false alarms among the others"), Share("found"))
                .Line(Diagonal, "guide").Line(Thin(curve), "a").ToSvg(),
            Html.Swatch("a"),
            "this network",
            Html.Swatch("guide"),
            "guessing"));
        charts.Add(Reliability.Curve(found.Reliability, $"predicted probability of {positive}"));
        yield return charts;
        yield return Reliability.Error(found.Reliability);
        yield return Reliability.Table(found.Reliability);
    }

    private static Axis Share(string label) => new(label, 0, 1) { Unit = "share" };

    // A point for each test row is more than a chart can show.
    private static IEnumerable<(double X, double Y)> Thin(IReadOnlyList<RocPoint> curve)
    {
        var every = Math.Max(1, curve.Count / 500);
        return curve.Where((_, i) => i % every == 0 || i == curve.Count - 1)
            .Select(point => (point.FalsePositiveRate, point.TruePositiveRate));
    }
}

/// <summary>Are probabilities what they say?</summary>
internal static class Reliability
{
    /// <summary>What was said, and what came about.</summary>
    /// <param name="bins">Rows by the probability that was given to them.</param>
    /// <param name="said">What that is the probability of.</param>
    public static XElement Curve(IReadOnlyList<ReliabilityBin> bins, string said) => Html.Figure(
        new Chart("Reliability curve", new Axis(said, 0, 1) { Unit = "share" }, new Axis("came about", 0, 1) { Unit = "share" })
            .Line([(0, 0), (1, 1)], "guide").Line(bins.Select(bin => (bin.MeanProbability, bin.PositiveShare)), "a")
            .Dots(bins.Select(bin => (bin.MeanProbability, bin.PositiveShare)), "a").ToSvg(),
        Html.Swatch("a"),
        "this network",
        Html.Swatch("guide"),
        "probabilities that are what they say");

    /// <summary>How far that is from each other.</summary>
    public static XElement Error(IReadOnlyList<ReliabilityBin> bins) => Html.P(
        $"The expected calibration error is {Html.Percent(ReliabilityCurve.Error(bins))}: so far is what came about from what was said, on "
        + "average over the lines below, each by its rows. If every probability were what it says, chance alone would make it about "
        + $"{Html.Percent(ReliabilityCurve.ErrorByChance(bins))} of so many rows.");

    /// <summary>The same as numbers.</summary>
    public static XElement Table(IReadOnlyList<ReliabilityBin> bins) => Html.Table(
        ["predicted probability", "test rows", "mean of the predictions", "came about"],
        bins.Select(bin => new object[]
        {
            $"{Html.Percent(bin.From)} to {Html.Percent(bin.To)}", Html.Number(Html.Count(bin.Weight)),
            Html.Number(Html.Percent(bin.MeanProbability)), Html.Number(Html.Percent(bin.PositiveShare)),
        }));
}

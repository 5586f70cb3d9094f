using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>From which probability on to say yes: what each threshold finds, and what its mistakes cost.</summary>
internal static class ThresholdSection
{
    private const int Points = 100;

    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        if (found.Thresholds is not { } thresholds) yield break;
        var positive = found.Trained.Schema.Label.PositiveClass!;
        var (costs, best) = (thresholds.Costs, thresholds.Best);
        yield return Html.H2("From which probability on");
        yield return Html.P(string.Create(
            CultureInfo.InvariantCulture,
            $"A row that is called {positive} and is not costs {costs.FalsePositive:0.######}, one that is {positive} and is not called so "
                + $"{costs.FalseNegative:0.######} (--cost-false-positive, --cost-false-negative). It is cheapest to say {positive} from ")
            + $"{Html.Percent(best)} on: chosen on {thresholds.ChosenOn}. The figures of the table are those on the test rows, which had "
            + "no say in that. PredictedLabel, in what score writes, goes by 50 %; for another threshold look at Probability.");
        double[] places = [.. Enumerable.Range(0, Points + 1).Select(part => (double)part / Points)];
        var tested = Array.ConvertAll(places, thresholds.Test);
        var chosen = thresholds.Chooser is { } chooser ? Array.ConvertAll(places, place => chooser.At(place, costs)) : [];
        var dearest = tested.Concat(chosen).Max(at => at.Cost);
        var threshold = new Axis($"probability from which on it is called {positive}", 0, 1) { Unit = "share" };
        var cost = new Chart(
                "Cost over the threshold",
                threshold,
                new Axis("cost of 1,000 rows", 0, Math.Max(dearest, 1e-6) * 1.04) { Unit = "as given" })
            .Line([(best, 0), (best, dearest)], "guide").Line(tested.Select(at => (at.Threshold, at.Cost)), "a");
        if (chosen.Length > 0) cost.Line(chosen.Select(at => (at.Threshold, at.Cost)), "b");
        yield return new XElement(
            "div",
            new XAttribute("class", "charts"),
            Html.Figure(
                new Chart("Precision and recall over the threshold", threshold, new Axis("precision, recall", 0, 1) { Unit = "share" })
                    .Line([(best, 0), (best, 1)], "guide").Line(tested.Select(at => (at.Threshold, at.Precision)), "a")
                    .Line(tested.Select(at => (at.Threshold, at.Recall)), "b").ToSvg(),
                Html.Swatch("a"),
                "right when called (precision)",
                Html.Swatch("b"),
                "found (recall)",
                Html.Swatch("guide"),
                "the cheapest threshold"),
            Html.Figure(
                cost.ToSvg(),
                [
                    Html.Swatch("a"), "test rows",
                    .. chosen.Length > 0 ? new object[] { Html.Swatch("b"), "rows that it was chosen on" } : [],
                    Html.Swatch("guide"), "the cheapest threshold",
                ]));
        yield return Html.Table(
            ["from", $"called {positive}", "right when called", "found", "cost of 1,000 rows"],
            thresholds.Table.Select(at => new object[]
            {
                at.Threshold == best ? new XElement("strong", $"{Html.Percent(at.Threshold)}, the cheapest") : Html.Percent(at.Threshold),
                Html.Number(Html.Percent(at.Called)), Html.Number(Html.Percent(at.Precision)), Html.Number(Html.Percent(at.Recall)),
                Html.Number(at.Cost.ToString("#,0.##", CultureInfo.InvariantCulture)),
            }));
    }
}

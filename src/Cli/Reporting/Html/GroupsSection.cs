using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>Is it as good for all? Figures by group.</summary>
internal static class GroupsSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        if (found.Groups.Count == 0) yield break;
        var label = found.Trained.Schema.Label;
        var isNumber = !label.Task.HasClasses;
        var hasMean = isNumber || label.Task.HasPositiveClass;
        yield return Html.H2("Is it as good for all");
        yield return Html.P(
            $"Test rows by what they have in a column; only what at least {GroupFigures.FewestRows} of them have. In brackets the interval "
            + "for other rows, in 95 of 100 cases. What is marked differs beyond what chance does to one of so many groups.");
        foreach (var column in found.Groups)
        {
            yield return Html.H3(column.Column);
            string[] heads = ["value", "test rows", column.Metric.Name];
            if (hasMean)
                heads = [.. heads, isNumber ? $"mean of {label.Column}" : $"are {label.PositiveClass}", "predictions are too high by"];
            yield return Html.Table(heads, column.Groups.Select(group =>
            {
                object[] cells =
                [
                    group.Name, Html.Number(Html.Count(group.Rows)),
                    Cell(VerdictSentences.Text(column.Metric, group.Figure), group.IsWorse ? "worse" : null),
                ];
                if (!hasMean) return cells;
                return
                [
                    .. cells,
                    Html.Number(isNumber ? VerdictSentences.Text(Metric.MeanAbsoluteError, group.Actual) : Html.Percent(group.Actual)),
                    Cell(
                        isNumber ? VerdictSentences.Text(Metric.MeanAbsoluteError, group.Excess) : Share(group.Excess),
                        group.IsBiased ? "off" : null),
                ];
            }));
            if (column.Others > 0)
                yield return Html.Small(
                    $"{Html.Count(column.Others)} more {(column.Others == 1 ? "value" : "values")} not shown: too rare, or too many.");
        }
    }

    private static XElement Cell(string text, string? mark) => mark is null ? Html.Number(text)
        : new XElement("td", new XAttribute("class", "number"), text, " ", new XElement("strong", mark));

    private static string Share(Interval share) => double.IsNaN(share.Low)
        ? Html.Percent(share.Value)
        : $"{Html.Percent(share.Value)} ({Html.Percent(share.Low)} to {Html.Percent(share.High)})";
}

using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>Which columns matter: a bar with its interval for each, in a table with the numbers.</summary>
internal static class ColumnsSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        if (found.Columns is not { } columns) yield break;
        yield return Html.H2("Which columns matter");
        yield return Html.P(
            $"The values of one column are dealt out anew among {Rows(columns)}, so that they say nothing any more "
            + $"({ColumnImportances.Repeats} times, by the seed of the training); what the network loses by that is what the column is to "
            + "it. Columns that say the same stand in for each other, and each looks less important than it is. What matters to the "
            + "network need not be a cause.");
        var most = columns.Columns.Select(column => Most(column.Loss)).DefaultIfEmpty().Max();
        var (loss, figure) = (columns.Loss, columns.Figure);
        string[] heads = ["column", $"{loss.Name} grows by", string.Empty, "for other rows"];
        yield return Html.Table(
            figure == loss ? heads : [.. heads, $"{figure.Name} {(figure.HigherIsBetter ? "falls" : "grows")} by"],
            columns.Columns.Select(column =>
            {
                object[] cells =
                [
                    column.Column,
                    Html.Number(VerdictSentences.Text(loss, column.Loss.Value)),
                    Bar(column.Loss, most),
                    Html.Number(Ends(loss, column.Loss)),
                ];
                return figure == loss ? cells : [.. cells, Html.Number(VerdictSentences.Text(figure, column.Figure.Value))];
            }));
        if (columns.LeftOut > 0)
            yield return Html.Small(
                $"{Html.Count(columns.LeftOut)} more columns mattered less at a first look, by fewer rows, and were not measured in full.");
    }

    /// <summary>An interval, as "0.01 to 0.02".</summary>
    public static string Ends(Metric metric, Interval interval) => double.IsNaN(interval.Low)
        ? "–"
        : $"{VerdictSentences.Text(metric, interval.Low)} to {VerdictSentences.Text(metric, interval.High)}";

    private static string Rows(ColumnImportances columns) => columns.Rows == columns.AllRows
        ? $"the {Html.Count(columns.Rows)} test rows"
        : $"{Html.Count(columns.Rows)} of the {Html.Count(columns.AllRows)} test rows, taken evenly from all of them";

    private static double Most(Interval interval) => double.IsNaN(interval.High) ? interval.Value : interval.High;

    // From 0; what is below 0 is chance. The line is the interval.
    private static XElement Bar(Interval interval, double most)
    {
        const double Width = 120;
        var bar = new XElement(
            "svg",
            new XAttribute("class", "span"),
            new XAttribute("role", "img"),
            new XAttribute("viewBox", $"0 0 {Width} 16"),
            new XElement("title", "bar with its interval"),
            new XElement("path", new XAttribute("d", Way(3, 10, 0, interval.Value))));
        if (!double.IsNaN(interval.Low))
        {
            var way = Way(7, 2, interval.Low, interval.High);
            bar.Add(new XElement("path", new XAttribute("class", "ends"), new XAttribute("d", way)));
        }

        return bar;

        string Way(double top, double height, double from, double to)
        {
            var (left, right) = (Place(from), Math.Max(Place(from) + 1, Place(to)));
            return string.Create(CultureInfo.InvariantCulture, $"M{left:0.#} {top}h{right - left:0.#}v{height}h{left - right:0.#}z");
        }

        double Place(double value) => most > 0 ? Math.Clamp(Width * value / most, 0, Width - 1) : 0;
    }
}

using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>
/// A model's graph before and after folding, side by side, as SVG: what is on both sides is on the same height. Of a large model the
/// repetitions, and then the middle, are a box each.
/// </summary>
internal static class GraphDrawing
{
    private const double BoxHeight = 58;
    private const double RowHeight = 92;
    private const double Top = 34;
    private const double Margin = 8;
    private const double BetweenSides = 56;
    private const double LeastWidth = 240;
    private const int LongestTip = 400;

    /// <summary>Draws.</summary>
    /// <param name="before">The main graph as it was given.</param>
    /// <param name="after">The same once it is folded.</param>
    /// <param name="outcomes">What became of its batch normalizations, and of the arithmetic that stands for some.</param>
    /// <returns>The drawing, in a box of its own that scrolls, with what its colours mean and what it leaves out.</returns>
    public static IEnumerable<XElement> Create(OnnxGraph before, OnnxGraph after, IReadOnlyList<BatchNormOutcome> outcomes)
    {
        var isChanged = outcomes.Any(outcome => outcome.Status != FoldStatus.Declined);
        var left = DrawnGraph.Before(before, outcomes);
        var sides = new List<(string Title, DrawnGraph Graph, GraphLayout Layout)>
        {
            ($"{(isChanged ? "before: " : string.Empty)}{Html.Count(before.Nodes.Count())} nodes", left, left.Layout()),
        };
        if (isChanged)
        {
            var right = DrawnGraph.After(after, outcomes, left);
            sides.Add(($"after: {Html.Count(after.Nodes.Count())} nodes", right, right.Layout(sides[0].Layout)));
        }

        var svg = new XElement("svg", new XAttribute("role", "img"), new XElement("title", "The graph of the model"));
        var x = Margin;
        foreach (var (title, graph, layout) in sides)
        {
            svg.Add(Text(title, "op", x, 18), Draw(graph, layout, x));
            x += Math.Max(layout.Width, LeastWidth) + BetweenSides;
        }

        var (width, height) = (x - BetweenSides + Margin, Top + (RowHeight * sides.Max(side => side.Layout.RowCount)));
        svg.SetAttributeValue("viewBox", $"0 0 {Number(width)} {Number(height)}");
        svg.SetAttributeValue("style", $"width: {Number(width)}px; height: {Number(height)}px");
        yield return new XElement(
            "figure",
            new XAttribute("class", "graph"),
            new XElement("div", new XAttribute("class", "scroll"), new XAttribute("tabindex", "0"), svg),
            new XElement("figcaption", Caption(isChanged, outcomes)));
        foreach (var note in Notes(left)) yield return Html.P(note);
    }

    private static IEnumerable<object> Caption(bool isChanged, IReadOnlyList<BatchNormOutcome> outcomes)
    {
        yield return "A box is a node: its operator, its name, and the shape of what it gives (N is the number of rows). ";
        if (isChanged) yield return "What is on both sides is on the same height. ";
        foreach (var (status, meaning) in new[]
        {
            (FoldStatus.Folded, "a batch normalization that goes into others"), (FoldStatus.Rewritten, "one that becomes simpler"),
            (FoldStatus.Declined, "one that stays"),
        })
        {
            if (!outcomes.Any(outcome => DrawnGraph.StyleOf(outcome.Status) == DrawnGraph.StyleOf(status))) continue;
            yield return Html.Swatch(DrawnGraph.StyleOf(status));
            yield return meaning;
        }

        if (!isChanged) yield break;
        yield return Html.Swatch(DrawnGraph.Taking);
        yield return "a node that takes some in";
    }

    private static IEnumerable<string> Notes(DrawnGraph graph)
    {
        if (graph.Constants > 0)
            yield return $"Not drawn: {Html.Count(graph.Constants)} nodes that compute with constants only.";
        if (graph.LeftOut > 0)
            yield return $"The graph is large: {Html.Count(graph.LeftOut)} of its nodes are drawn as {graph.Summaries} boxes that say how "
                + "many they stand for.";
    }

    private static XElement Draw(DrawnGraph graph, GraphLayout layout, double left)
    {
        var drawing = new XElement("g");
        var isReader = new HashSet<int>();
        foreach (var (from, to, bends) in layout.Lines)
        {
            isReader.Add(to);
            drawing.Add(new XElement(
                "path", new XAttribute("class", "edge"), new XAttribute("d", Way(layout, left, from, to, bends))));
        }

        for (var i = 0; i < graph.Boxes.Count; i++)
        {
            var box = graph.Boxes[i];
            var (middle, top) = (left + layout.Center(i), TopOf(layout.Row(i)));
            var x = middle - (GraphLayout.BoxWidth / 2);
            if (isReader.Contains(i))
                drawing.Add(new XElement(
                    "path",
                    new XAttribute("class", "tip"),
                    new XAttribute("d", $"M{Number(middle - 4)} {Number(top - 7)}h8l-4 7z")));
            drawing.Add(new XElement(
                "g",
                new XElement("title", box.Tip.Length <= LongestTip ? box.Tip : $"{box.Tip[..LongestTip]}…"),
                new XElement(
                    "rect",
                    new XAttribute("class", $"box {box.Style}".TrimEnd()),
                    new XAttribute("x", Number(x)),
                    new XAttribute("y", Number(top)),
                    new XAttribute("width", Number(GraphLayout.BoxWidth)),
                    new XAttribute("height", Number(BoxHeight))),
                Text(BoxText.Fit(box.Title, GraphLayout.BoxWidth - 16, isBold: true), "op", x + 8, top + 17),
                Text(BoxText.Fit(box.Name, GraphLayout.BoxWidth - 16), null, x + 8, top + 34),
                Text(BoxText.Fit(box.Detail, GraphLayout.BoxWidth - 16), null, x + 8, top + 51)));
        }

        return drawing;
    }

    // Down in a curve from row to row, straight where it passes one.
    private static string Way(GraphLayout layout, double left, int from, int to, IEnumerable<(double Center, int Row)> bends)
    {
        var (x, y) = (left + layout.Center(from), TopOf(layout.Row(from)) + BoxHeight);
        var way = $"M{Number(x)} {Number(y)}";
        foreach (var (center, row) in bends)
        {
            way += Curve(left + center, TopOf(row));
            y = TopOf(row) + BoxHeight;
            way += $"V{Number(y)}";
        }

        return way + Curve(left + layout.Center(to), TopOf(layout.Row(to)) - 6);

        string Curve(double nextX, double nextY)
        {
            var half = (y + nextY) / 2;
            var curve = $"C{Number(x)} {Number(half)} {Number(nextX)} {Number(half)} {Number(nextX)} {Number(nextY)}";
            (x, y) = (nextX, nextY);
            return curve;
        }
    }

    private static double TopOf(int row) => Top + (row * RowHeight);

    private static XElement Text(string text, string? style, double x, double y) => new(
        "text",
        style is null ? null : new XAttribute("class", style),
        new XAttribute("x", Number(x)),
        new XAttribute("y", Number(y)),
        text);

    private static string Number(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}

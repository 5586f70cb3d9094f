using System.Globalization;
using System.Xml.Linq;
using CsvHelper;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>
/// A figure: what is drawn in one panel or in several beside each other, and the numbers behind it, which also are a CSV file.
/// </summary>
/// <param name="Name">The name of its file, without <c>.csv</c>.</param>
/// <param name="Title">Its headline.</param>
/// <param name="Panels">The panels.</param>
internal sealed record PlottedFigure(string Name, string Title, params IReadOnlyList<PlottedPanel> Panels)
{
    // The lines that are shown below a figure; the file has all.
    private const int MostRows = 40;

    /// <summary>What there is to see; null = the headline says it.</summary>
    public string? Caption { get; init; }

    /// <summary>The name of the file with the numbers.</summary>
    public string FileName => $"{Name}.csv";

    /// <summary>The figure on a page, with its numbers (every n-th where they are many) folded up below it.</summary>
    public XElement ToHtml()
    {
        var lines = Lines().ToArray();
        var every = (lines.Length + MostRows - 1) / MostRows;
        return new XElement(
            "div",
            new XAttribute("class", "figure"),
            Html.H3(Title),
            new XElement("div", new XAttribute("class", "charts"), Panels.Select(panel => panel.ToHtml(Panels.Count > 1))),
            Caption is null ? null : Html.Small(Caption),
            new XElement(
                "details",
                new XElement("summary", new XAttribute("class", "small"), every <= 1
                    ? $"The numbers, as in {FileName}"
                    : string.Create(CultureInfo.InvariantCulture, $"One in {every} of {lines.Length:N0} numbers; all are in {FileName}")),
                new XElement("div", new XAttribute("class", "scroll"), Html.Table(
                    Header(),
                    lines.Where((_, i) => i % Math.Max(1, every) == 0).Select(line => line.Select((cell, i) =>
                        i < TextColumns ? (object)cell : Html.Number(Short(cell))))))));
    }

    /// <summary>The numbers as a CSV file, a line for each point, point of a band or bar.</summary>
    public string ToCsv()
    {
        using var text = new StringWriter();
        using (var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true))
        {
            foreach (var cells in Lines().Prepend(Header()))
            {
                foreach (var cell in cells) csv.WriteField(cell);
                csv.EndRecord();
            }
        }

        return text.ToString();
    }

    private int TextColumns => Panels.Count > 1 ? 2 : 1;

    private bool HasBars => Panels.Any(panel => panel.Series.Any(series => series is PlottedBars));

    private bool HasBands => Panels.Any(panel => panel.Series.Any(series => series is PlottedBand));

    // All panels of a figure have the same things on their axes, be they of different lengths.
    private string[] Header()
    {
        var (x, y) = (Panels[0].X.Title, Panels[0].Y.Title);
        return
        [
            .. Panels.Count > 1 ? ["panel"] : Array.Empty<string>(),
            "series",
            x,
            .. HasBars ? [$"to {x}"] : Array.Empty<string>(),
            y,
            .. HasBands ? [$"to {y}"] : Array.Empty<string>(),
        ];
    }

    private IEnumerable<string[]> Lines() =>
        from panel in Panels
        from series in panel.Series
        where series.IsData
        from mark in series.Marks
        select (string[])
        [
            .. Panels.Count > 1 ? [panel.Title] : Array.Empty<string>(),
            series.Name,
            Number(mark.X),
            .. HasBars ? [Number(mark.ToX)] : Array.Empty<string>(),
            Number(mark.Y),
            .. HasBands ? [Number(mark.ToY)] : Array.Empty<string>(),
        ];

    private static string Number(double? value) =>
        value is { } number && double.IsFinite(number) ? number.ToString("G9", CultureInfo.InvariantCulture) : string.Empty;

    private static string Short(string cell) => double.TryParse(cell, CultureInfo.InvariantCulture, out var number)
        ? number.ToString(Math.Abs(number) is >= 1e6 or (> 0 and < 1e-3) ? "0.###E+0" : "#,0.####", CultureInfo.InvariantCulture)
        : cell;
}

/// <summary>A panel of a figure.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="X">The axis across.</param>
/// <param name="Y">The axis up.</param>
/// <param name="Series">What is drawn, the first below the others.</param>
internal sealed record PlottedPanel(string Title, PlottedAxis X, PlottedAxis Y, params IReadOnlyList<PlottedSeries> Series)
{
    /// <summary>The panel on a page.</summary>
    /// <param name="titled">Whether its title stands in front of what the colours mean.</param>
    public XElement ToHtml(bool titled)
    {
        var marks = Series.SelectMany(series => series.Marks).ToArray();
        var chart = new Chart(
            Title,
            X.Over(marks.SelectMany(mark => new[] { mark.X, mark.ToX ?? mark.X })),
            Y.Over(marks.SelectMany(mark => new[] { mark.Y, mark.ToY ?? mark.Y }), Series.Any(series => series is PlottedBars)));
        foreach (var series in Series) series.Draw(chart);
        var legend = Series.DistinctBy(series => (series.Name, series.Style, series is PlottedBand))
            .SelectMany(series => new object[] { Html.Swatch(series is PlottedBand ? $"{series.Style} band" : series.Style), series.Name });
        return Html.Figure(chart.ToSvg(), titled ? [new XElement("strong", Title), .. legend] : [.. legend]);
    }
}

/// <summary>What is on an axis of a panel.</summary>
/// <param name="Label">What it is.</param>
/// <param name="Unit">The unit; what is a bare number says what of: <c>count</c>, <c>share</c>, <c>ratio</c>.</param>
/// <param name="IsLogarithmic">Whether equal ratios, rather than equal differences, are equally long.</param>
/// <param name="From">Where it begins; null = where the values do.</param>
/// <param name="To">Where it ends; null = where the values do.</param>
internal sealed record PlottedAxis(string Label, string Unit, bool IsLogarithmic = false, double? From = null, double? To = null)
{
    /// <summary>The label with the unit.</summary>
    public string Title => $"{Label} ({Unit})";

    /// <summary>The axis that shows values.</summary>
    /// <param name="values">The values.</param>
    /// <param name="fromZero">Whether it begins at 0, unless something else is said.</param>
    public Axis Over(IEnumerable<double> values, bool fromZero = false)
    {
        var axis = IsLogarithmic ? Axis.Logarithmic(Label, values) : Axis.For(Label, values);
        return axis with { From = From ?? (fromZero ? 0 : axis.From), To = To ?? axis.To, Unit = Unit };
    }
}

/// <summary>Something that is drawn in a panel.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Style">Its colour: <c>a</c> to <c>f</c>, or <c>guide</c> for a dashed line.</param>
internal abstract record PlottedSeries(string Name, string Style)
{
    /// <summary>The colours, in the order in which they are taken.</summary>
    public static IReadOnlyList<string> Styles { get; } = ["a", "b", "c", "d", "e", "f"];

    /// <summary>Whether it is what came out, rather than a line for the eye.</summary>
    public bool IsData => Style != "guide";

    /// <summary>Its points, or points of a band (with <c>ToY</c>), or bars (with <c>ToX</c>).</summary>
    public abstract IEnumerable<(double X, double? ToX, double Y, double? ToY)> Marks { get; }

    /// <summary>Draws it.</summary>
    public abstract void Draw(Chart chart);
}

/// <summary>A line through points.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Style">Its colour, or <c>guide</c>.</param>
/// <param name="Points">The points.</param>
/// <param name="HasDots">Whether each point has a dot.</param>
internal sealed record PlottedLine(string Name, string Style, IReadOnlyList<(double X, double Y)> Points, bool HasDots = false)
    : PlottedSeries(Name, Style)
{
    /// <inheritdoc/>
    public override IEnumerable<(double X, double? ToX, double Y, double? ToY)> Marks =>
        Points.Select(point => (point.X, (double?)null, point.Y, (double?)null));

    /// <inheritdoc/>
    public override void Draw(Chart chart)
    {
        chart.Line(Points, Style);
        if (HasDots || Points.Count == 1) chart.Dots(Points, Style);
    }
}

/// <summary>A band, as between two percentiles.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Style">Its colour.</param>
/// <param name="Points">Its lower and upper end at each place.</param>
internal sealed record PlottedBand(string Name, string Style, IReadOnlyList<(double X, double Low, double High)> Points)
    : PlottedSeries(Name, Style)
{
    /// <inheritdoc/>
    public override IEnumerable<(double X, double? ToX, double Y, double? ToY)> Marks =>
        Points.Select(point => (point.X, (double?)null, point.Low, (double?)point.High));

    /// <inheritdoc/>
    public override void Draw(Chart chart) => chart.Band(Points, Style);
}

/// <summary>A histogram.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Style">Its colour.</param>
/// <param name="Bars">Its bars, from left to right.</param>
internal sealed record PlottedBars(string Name, string Style, IReadOnlyList<(double From, double To, double Value)> Bars)
    : PlottedSeries(Name, Style)
{
    /// <inheritdoc/>
    public override IEnumerable<(double X, double? ToX, double Y, double? ToY)> Marks =>
        Bars.Select(bar => (bar.From, (double?)bar.To, bar.Value, (double?)null));

    /// <summary>A histogram of values: in each of equal bins the share of all values that lies in it.</summary>
    /// <param name="name">What it is.</param>
    /// <param name="style">Its colour.</param>
    /// <param name="values">The values; those that are not finite are left out.</param>
    /// <param name="bins">The number of bins between the least and the largest value.</param>
    public static PlottedBars Of(string name, string style, IEnumerable<float> values, int bins = 40)
    {
        double[] finite = [.. values.Where(float.IsFinite).Select(value => (double)value)];
        if (finite.Length == 0) return new PlottedBars(name, style, []);
        var (least, most) = (finite.Min(), finite.Max());

        // All the same: one bin that has some width.
        if (most <= least)
        {
            var margin = 0.5 * Math.Max(Math.Abs(least), 1);
            (least, most, bins) = (least - margin, most + margin, 1);
        }

        var counts = new int[bins];
        var width = (most - least) / bins;
        foreach (var value in finite) counts[Math.Clamp((int)((value - least) / width), 0, bins - 1)]++;
        return new PlottedBars(name, style, [.. counts.Select((count, i) =>
            (least + (i * width), least + ((i + 1) * width), (double)count / finite.Length))]);
    }

    /// <inheritdoc/>
    public override void Draw(Chart chart)
    {
        chart.Band(Bars.SelectMany(bar => new[] { (bar.From, 0.0, bar.Value), (bar.To, 0, bar.Value) }), Style);
        chart.Line(Bars.SelectMany(bar => new[] { (bar.From, bar.Value), (bar.To, bar.Value) }), Style);
    }
}

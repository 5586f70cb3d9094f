using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>
/// A small chart as SVG, which is as wide as its place: on a telephone its texts are as large as those beside it. Its colours are classes
/// of the page's style sheet, so that it follows light, dark and print.
/// </summary>
internal sealed class Chart
{
    private const double Width = 400;
    private const double Height = 280;
    private const double Top = 12;

    // Of a line of text, and between a text and what is beside it.
    private const double TextLine = 17;
    private const double Gap = 7;

    private readonly string _title;
    private readonly Axis _x;
    private readonly Axis _y;
    private readonly (double Value, string Text)[] _columns;
    private readonly (double Value, string Text)[] _rows;
    private readonly string[] _below;
    private readonly string[] _beside;
    private readonly double _left;
    private readonly double _right;
    private readonly double _bottom;
    private readonly List<XElement> _marks = [];

    /// <param name="title">What it shows, for who cannot see it.</param>
    /// <param name="x">The axis across.</param>
    /// <param name="y">The axis up.</param>
    public Chart(string title, Axis x, Axis y)
    {
        (_title, _x, _y) = (title, x, y);
        (_columns, _rows) = (Labels(x), Labels(y));
        (_below, _beside) = (ChartText.Fit(x.Label, x.Unit, Width - (2 * Gap)), ChartText.Fit(y.Label, y.Unit, Height - (2 * Gap)));
        _left = Gap + (TextLine * _beside.Length) + Gap + _rows.Select(row => ChartText.Width(row.Text)).DefaultIfEmpty().Max() + Gap;
        _right = Math.Max(12, _columns.Length == 0 ? 0 : Gap + (ChartText.Width(_columns[^1].Text) / 2));
        _bottom = TextLine + Gap + (TextLine * _below.Length) + Gap;
    }

    /// <summary>Adds a line through points; it is interrupted where a point has no place, as 0 on a logarithmic axis.</summary>
    public Chart Line(IEnumerable<(double X, double Y)> points, string style)
    {
        var run = new List<(double X, double Y)>();
        foreach (var point in points.Append((double.NaN, double.NaN)))
        {
            if (HasPlace(point))
            {
                run.Add(point);
                continue;
            }

            if (run.Count > 0) _marks.Add(Element("polyline", ("class", style), ("points", Points(run))));
            run.Clear();
        }

        return this;
    }

    /// <summary>Adds a band between two lines, in the shade of a style.</summary>
    public Chart Band(IEnumerable<(double X, double Low, double High)> points, string style)
    {
        var placed = points.Where(point => HasPlace((point.X, point.Low)) && HasPlace((point.X, point.High))).ToArray();
        if (placed.Length > 0)
            _marks.Add(Element(
                "polygon",
                ("class", $"{style} band"),
                ("points", Points(
                    placed.Select(point => (point.X, point.Low)).Concat(placed.Reverse().Select(point => (point.X, point.High)))))));
        return this;
    }

    /// <summary>Adds a dot at each point.</summary>
    public Chart Dots(IEnumerable<(double X, double Y)> points, string style, double radius = 3)
    {
        _marks.AddRange(
            points.Where(HasPlace).Select(
                point =>
                    Element("circle", ("class", style), ("cx", Number(X(point.X))), ("cy", Number(Y(point.Y))), ("r", Number(radius)))));
        return this;
    }

    /// <summary>Adds bars that stand on 0.</summary>
    public Chart Bars(IEnumerable<(double From, double To, double Value)> bars, string style)
    {
        _marks.AddRange(bars.Select(bar => Element(
            "rect",
            ("class", style),
            ("x", Number(X(bar.From))),
            ("y", Number(Y(bar.Value))),
            ("width", Number(Math.Max(0, X(bar.To) - X(bar.From) - 1))),
            ("height", Number(Y(0) - Y(bar.Value))))));
        return this;
    }

    /// <summary>The chart.</summary>
    public XElement ToSvg()
    {
        var (floor, middle, center) = (Height - _bottom, (Top + Height - _bottom) / 2, (_left + Width - _right) / 2);
        return new XElement(
            "svg",
            new XAttribute("class", "chart"),
            new XAttribute("viewBox", $"0 0 {Number(Width)} {Number(Height)}"),
            new XAttribute("role", "img"),
            new XElement("title", _title),
            _columns.Select(column => Grid(X(column.Value), X(column.Value), Top, floor)),
            _rows.Select(row => Grid(_left, Width - _right, Y(row.Value), Y(row.Value))),
            Shown(_columns).Select(column => Text(column.Text, X(column.Value), floor + TextLine, "middle")),
            _rows.Select(row => Text(row.Text, _left - Gap, Y(row.Value) + 4, "end")),
            _marks,
            Title(_below, Inside(center, _below, Width), line => floor + Gap + (TextLine * (line + 2)) - 2, null),
            Title(
                _beside,
                0,
                line => TextLine * line,
                $"translate({Number(TextLine)} {Number(Inside(middle, _beside, Height))}) rotate(-90)"));
    }

    private static (double Value, string Text)[] Labels(Axis axis) => [.. axis.Ticks().Select(tick => (tick, axis.Text(tick)))];

    // What would lie under another one is left out.
    private IEnumerable<(double Value, string Text)> Shown((double Value, string Text)[] columns)
    {
        if (columns.Length < 2) return columns;
        var room = (X(columns[^1].Value) - X(columns[0].Value)) / (columns.Length - 1);
        var every = (int)Math.Ceiling((columns.Max(column => ChartText.Width(column.Text)) + Gap) / room);
        return columns.Where((_, i) => i % every == 0);
    }

    private static double Inside(double middle, string[] lines, double length)
    {
        var half = Math.Min((length / 2) - 1, (lines.Max(ChartText.Width) / 2) + 1);
        return Math.Clamp(middle, half, length - half);
    }

    private static XElement Title(string[] lines, double x, Func<int, double> y, string? turned) => new(
        "text",
        new XAttribute("class", "axis"),
        turned is null ? null : new XAttribute("transform", turned),
        new XAttribute("text-anchor", "middle"),
        lines.Select((line, i) => new XElement("tspan", new XAttribute("x", Number(x)), new XAttribute("y", Number(y(i))), line)));

    private static XElement Grid(double x1, double x2, double y1, double y2) => Element(
        "line", ("class", "grid"), ("x1", Number(x1)), ("x2", Number(x2)), ("y1", Number(y1)), ("y2", Number(y2)));

    private static XElement Text(string text, double x, double y, string anchor) =>
        new("text", new XAttribute("x", Number(x)), new XAttribute("y", Number(y)), new XAttribute("text-anchor", anchor), text);

    private static XElement Element(string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        var element = new XElement(name);
        foreach (var (attribute, value) in attributes) element.SetAttributeValue(attribute, value);
        return element;
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private bool HasPlace((double X, double Y) point) => double.IsFinite(_x.Place(point.X)) && double.IsFinite(_y.Place(point.Y));

    private string Points(IEnumerable<(double X, double Y)> points) =>
        string.Join(' ', points.Select(point => $"{Number(X(point.X))},{Number(Y(point.Y))}"));

    // What lies outside stays at the edge.
    private double X(double value) => _left + ((Width - _left - _right) * Math.Clamp(_x.Place(value), 0, 1));

    private double Y(double value) => Height - _bottom - ((Height - Top - _bottom) * Math.Clamp(_y.Place(value), 0, 1));
}

/// <summary>
/// How much room texts of a chart need, in its own unit. A page is laid out where nobody knows its fonts, so this is the most.
/// </summary>
internal static class ChartText
{
    // That of the style sheet's .chart text.
    private const double Size = 13;

    /// <summary>The width of a text.</summary>
    public static double Width(string text) => Size * text.EnumerateRunes().Sum(rune => rune.Value switch
    {
        'i' or 'j' or 'l' or 'I' or '.' or ',' or ':' or ';' or '|' or '\'' or ' ' => 0.36,
        'm' or 'w' or 'M' or 'W' or '%' or '@' => 1,
        >= 'A' and <= 'Z' => 0.76,
        < 0x1100 => 0.64,
        _ => 1.05,
    });

    /// <summary>The title of an axis in one line or two, whose end is left out where they would be too short; never the unit.</summary>
    /// <param name="label">What is on the axis.</param>
    /// <param name="unit">Its unit; null = the label says it.</param>
    /// <param name="room">The length of a line.</param>
    public static string[] Fit(string label, string? unit, double room)
    {
        var ending = unit is null ? string.Empty : $" ({unit})";
        if (Width(label + ending) <= room) return [label + ending];
        var first = Beginning(label, room);
        var space = label[..first].LastIndexOf(' ');
        if (space > first / 2) first = space;
        var rest = label[first..].TrimStart();
        if (Width(rest + ending) > room) rest = $"{rest[..Beginning(rest, room - Width($"…{ending}"))]}…";
        return [label[..first], rest + ending];
    }

    // As much of a text as there is room for; half a character is none.
    private static int Beginning(string text, double room)
    {
        var (length, width) = (0, 0.0);
        foreach (var rune in text.EnumerateRunes())
        {
            width += Width(rune.ToString());
            if (width > room) break;
            length += rune.Utf16SequenceLength;
        }

        return length;
    }
}

/// <summary>An axis of a chart.</summary>
/// <param name="Label">What is on it.</param>
/// <param name="From">The value at its beginning; above 0 where it is logarithmic.</param>
/// <param name="To">The value at its end.</param>
internal sealed record Axis(string Label, double From, double To)
{
    /// <summary>The unit of what is counted.</summary>
    public const string Count = "count";

    private const int MostTicks = 6;

    /// <summary>The unit of its values, which stands behind the label; null = the label says it.</summary>
    public string? Unit { get; init; }

    /// <summary>Whether equal ratios, rather than equal differences, are equally long. Default: false.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>An axis for values, a little longer than they need; of some length even where they are all the same.</summary>
    public static Axis For(string label, IEnumerable<double> values)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0) return new Axis(label, 0, 1);
        var (least, most) = (finite.Min(), finite.Max());
        var margin = most > least ? 0.04 * (most - least) : Math.Max(Math.Abs(most) * 0.1, 1e-6);
        return new Axis(label, least - margin, most + margin);
    }

    /// <summary>
    /// The same in equal ratios, from the power of ten below the values to the one above; what is not above 0 has no place.
    /// </summary>
    public static Axis Logarithmic(string label, IEnumerable<double> values)
    {
        double[] placed = [.. values.Where(value => value > 0 && double.IsFinite(value)).Select(Math.Log10)];
        var (from, to) = placed.Length == 0 ? (0, 1) : (Math.Floor(placed.Min() + 1e-9), Math.Ceiling(placed.Max() - 1e-9));
        return new Axis(label, Math.Pow(10, from), Math.Pow(10, Math.Max(to, from + 1))) { IsLogarithmic = true };
    }

    /// <summary>Where a value lies, from 0 to 1; no finite number where it has no place.</summary>
    public double Place(double value) => IsLogarithmic
        ? (value > 0 ? Math.Log(value / From) / Math.Log(To / From) : double.NaN)
        : (value - From) / (To - From);

    /// <summary>About five round values on the axis.</summary>
    public IEnumerable<double> Ticks() => IsLogarithmic ? PowersOfTen() : RoundValues();

    /// <summary>A value as it stands beside the axis.</summary>
    public string Text(double tick)
    {
        var largest = Math.Max(Math.Abs(From), Math.Abs(To));
        if (IsLogarithmic ? tick is >= 1e5 or < 1e-3 : largest >= 1e7 || largest < 1e-4)
            return tick.ToString("0.##E+0", CultureInfo.InvariantCulture);
        if (IsLogarithmic) return tick.ToString("#,0.####", CultureInfo.InvariantCulture);
        var digits = Math.Max(0, -(int)Math.Floor(Math.Log10(Step) + 1e-9));
        return tick.ToString($"N{digits}", CultureInfo.InvariantCulture);
    }

    private IEnumerable<double> RoundValues()
    {
        var step = Step;
        for (var tick = Math.Ceiling((From / step) - 1e-9); tick * step <= To + (step * 1e-9); tick++)
            yield return tick == 0 ? 0 : tick * step;
    }

    // Every one, every second or fewer of them.
    private IEnumerable<double> PowersOfTen()
    {
        var (first, last) = ((int)Math.Ceiling(Math.Log10(From) - 1e-9), (int)Math.Floor(Math.Log10(To) + 1e-9));
        var every = ((last - first) / MostTicks) + 1;
        for (var power = first; power <= last; power += every) yield return Math.Pow(10, power);
    }

    // 1, 2 or 5 times a power of ten; what is counted has no halves.
    private double Step
    {
        get
        {
            var rough = (To - From) / 5;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            var step = power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
            return Unit == Count ? Math.Max(1, step) : step;
        }
    }
}

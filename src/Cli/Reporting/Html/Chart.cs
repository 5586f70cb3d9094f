using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>A small chart as SVG. Its colours are classes of the page's style sheet, so that it follows light, dark and print.</summary>
/// <param name="title">What it shows, for who cannot see it.</param>
/// <param name="x">The axis across.</param>
/// <param name="y">The axis up.</param>
internal sealed class Chart(string title, Axis x, Axis y)
{
    private const double Width = 480;
    private const double Height = 320;
    private const double Left = 84;
    private const double Right = 12;
    private const double Top = 12;
    private const double Bottom = 44;

    private readonly List<XElement> _marks = [];

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
    public XElement ToSvg() => new(
        "svg",
        new XAttribute("viewBox", $"0 0 {Number(Width)} {Number(Height)}"),
        new XAttribute("role", "img"),
        new XElement("title", title),
        x.Ticks().SelectMany(tick => new[]
        {
            Element(
                "line",
                ("class", "grid"),
                ("x1", Number(X(tick))),
                ("x2", Number(X(tick))),
                ("y1", Number(Top)),
                ("y2", Number(Height - Bottom))),
            Text(x.Text(tick), X(tick), Height - Bottom + 16, "middle"),
        }),
        y.Ticks().SelectMany(tick => new[]
        {
            Element(
                "line",
                ("class", "grid"),
                ("x1", Number(Left)),
                ("x2", Number(Width - Right)),
                ("y1", Number(Y(tick))),
                ("y2", Number(Y(tick)))),
            Text(y.Text(tick), Left - 6, Y(tick) + 4, "end"),
        }),
        _marks,
        Text(x.Title, (Left + Width - Right) / 2, Height - 8, "middle"),
        new XElement(
            "text",
            new XAttribute("transform", $"translate(14 {Number((Top + Height - Bottom) / 2)}) rotate(-90)"),
            new XAttribute("text-anchor", "middle"),
            y.Title));

    private static XElement Text(string text, double x, double y, string anchor) =>
        new("text", new XAttribute("x", Number(x)), new XAttribute("y", Number(y)), new XAttribute("text-anchor", anchor), text);

    private static XElement Element(string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        var element = new XElement(name);
        foreach (var (attribute, value) in attributes) element.SetAttributeValue(attribute, value);
        return element;
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private bool HasPlace((double X, double Y) point) => double.IsFinite(x.Place(point.X)) && double.IsFinite(y.Place(point.Y));

    private string Points(IEnumerable<(double X, double Y)> points) =>
        string.Join(' ', points.Select(point => $"{Number(X(point.X))},{Number(Y(point.Y))}"));

    // What lies outside stays at the edge.
    private double X(double value) => Left + ((Width - Left - Right) * Math.Clamp(x.Place(value), 0, 1));

    private double Y(double value) => Height - Bottom - ((Height - Top - Bottom) * Math.Clamp(y.Place(value), 0, 1));
}

/// <summary>An axis of a chart.</summary>
/// <param name="Label">What is on it.</param>
/// <param name="From">The value at its beginning; above 0 where it is logarithmic.</param>
/// <param name="To">The value at its end.</param>
internal sealed record Axis(string Label, double From, double To)
{
    private const int MostTicks = 6;

    /// <summary>The unit of its values, which stands behind the label; null = the label says it.</summary>
    public string? Unit { get; init; }

    /// <summary>Whether equal ratios, rather than equal differences, are equally long. Default: false.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>The label with the unit.</summary>
    public string Title => Unit is null ? Label : $"{Label} ({Unit})";

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

    // 1, 2 or 5 times a power of ten.
    private double Step
    {
        get
        {
            var rough = (To - From) / 5;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            return power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        }
    }
}

using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>A page that holds everything itself, runs nothing and loads nothing.</summary>
internal static class HtmlPage
{
    /// <summary>The name of the page in a folder of results.</summary>
    public const string ReportFile = "report.html";

    /// <summary>The page as text.</summary>
    /// <param name="title">The title, which is the first headline, too.</param>
    /// <param name="origin">A line below it: where this comes from.</param>
    /// <param name="content">Elements, or sequences of them.</param>
    public static string Create(string title, string origin, params object?[] content) => Write(new XElement(
        "html",
        new XAttribute("lang", "en"),
        new XElement(
            "head",
            new XElement("meta", new XAttribute("charset", "utf-8")),
            new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
            new XElement("title", title),
            new XElement("style", ReportStyle.Css)),
        new XElement("body", new XElement("h1", title), Html.Small(origin), content)));

    // HTML that is well-formed XML at the same time.
    private static string Write(XElement html)
    {
        // HTML takes <td/> for a beginning without an end; XML takes no control characters, which a CSV file may well have.
        foreach (var element in html.DescendantsAndSelf())
        {
            if (element.IsEmpty && element.Name.LocalName is not ("meta" or "br") && !element.AncestorsAndSelf("svg").Any())
                element.Value = string.Empty;
            foreach (var attribute in element.Attributes()) attribute.Value = Clean(attribute.Value);
        }

        foreach (var text in html.DescendantNodes().OfType<XText>()) text.Value = Clean(text.Value);
        return $"<!DOCTYPE html>\n{html.ToString(SaveOptions.DisableFormatting)}\n";
    }

    private static string Clean(string text)
    {
        var clean = text.ToCharArray();
        for (var i = 0; i < clean.Length; i++)
        {
            if (XmlConvert.IsXmlChar(clean[i])) continue;
            if (i + 1 < clean.Length && XmlConvert.IsXmlSurrogatePair(clean[i + 1], clean[i])) i++;
            else clean[i] = '\uFFFD';
        }

        return new string(clean);
    }
}

/// <summary>
/// Parts of a page. They are XML elements, so that whatever stands in a table's headers is escaped, and the page is well-formed.
/// </summary>
internal static class Html
{
    public static XElement P(params object?[] content) => new("p", content);

    public static XElement H2(string text) => new("h2", text);

    public static XElement H3(string text) => new("h3", text);

    public static XElement Small(params object?[] content) => new("p", new XAttribute("class", "small"), content);

    public static XElement Code(string lines) => new("pre", new XElement("code", lines));

    public static XElement Figure(XElement picture, params object?[] caption) =>
        new("figure", picture, new XElement("figcaption", caption));

    public static XElement Swatch(string style) => new("span", new XAttribute("class", $"swatch {style}"), string.Empty);

    /// <summary>A table, in a box in which it scrolls where it is wider than the page; numbers are set to the right.</summary>
    /// <param name="header">The heads of the columns.</param>
    /// <param name="rows">The cells: texts, or elements, or numbers as <see cref="Number"/> gives them.</param>
    public static XElement Table(IEnumerable<string> header, IEnumerable<IEnumerable<object>> rows) => Scrolling(new XElement(
        "table",
        new XElement("thead", new XElement("tr", header.Select(text => new XElement("th", text)))),
        new XElement(
            "tbody",
            rows.Select(
                row =>
                    new XElement("tr", row.Select(cell => cell is XElement { Name.LocalName: "td" } ? cell : new XElement("td", cell)))))));

    /// <summary>A box in which something wide scrolls.</summary>
    public static XElement Scrolling(XElement wide) => new("div", new XAttribute("class", "scroll"), wide);

    /// <summary>A histogram as small as a line of a table.</summary>
    /// <param name="counts">How many lie in each part.</param>
    public static XElement Bars(IReadOnlyList<long> counts)
    {
        var most = Math.Max(1, counts.Max());
        var way = string.Concat(counts.Select((count, i) => (count, i)).Where(part => part.count > 0).Select(part =>
        {
            // What is there is seen, however little it is.
            var height = Math.Max(1, Math.Round(20.0 * part.count / most));
            return $"M{4 * part.i} 20v-{height}h3v{height}z";
        }));
        return new XElement(
            "svg",
            new XAttribute("class", "bars"),
            new XAttribute("role", "img"),
            new XAttribute("viewBox", $"0 0 {4 * counts.Count} 20"),
            new XElement("title", "histogram"),
            new XElement("path", new XAttribute("d", way.Length > 0 ? way : "M0 20")));
    }

    /// <summary>A text of somebody else's, of which only the beginning is shown where it is very long.</summary>
    public static string Short(string text, int most = 300) => text.Length <= most ? text : $"{text[..most]}… ({text.Length} characters)";

    /// <summary>A number in a table.</summary>
    public static XElement Number(string text) => new("td", new XAttribute("class", "number"), text);

    /// <summary>A count, or a weight of rows: whole numbers with separators, others with two digits.</summary>
    public static string Count(double value) => value.ToString(value == Math.Floor(value) ? "N0" : "N2", CultureInfo.InvariantCulture);

    /// <summary>A share: 0.1234 is 12.3 %; a share of nothing is a dash.</summary>
    public static string Percent(double share) =>
        double.IsNaN(share) ? "–" : string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} %");
}

/// <summary>The style sheet of a report: light and dark by the reader's setting, plain on paper, nothing from elsewhere.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #ffffff; --panel: #f4f6f8; --rule: #d5dae0;
            --a: #0b62c4; --b: #c2410c; --heat: 11, 98, 196; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --paper: #15181c; --panel: #1f242a; --rule: #3a424b;
            --a: #6db3ff; --b: #ff9d5c; --heat: 109, 179, 255; } }
        @media print { :root { color-scheme: light; --ink: #000000; --soft: #444444; --paper: #ffffff; --panel: #ffffff; --rule: #bbbbbb;
            --a: #0b62c4; --b: #c2410c; --heat: 11, 98, 196; } figure, table, .tiles div { break-inside: avoid; }
        h2, h3 { break-after: avoid; } }
        body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
            font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
        h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; border-bottom: 1px solid var(--rule); }
        h3 { margin: 1.2rem 0 .4rem; font-size: 1rem; } h1, h2, h3, p, li, figcaption, .tiles div { overflow-wrap: anywhere; }
        p { margin: .4rem 0; max-width: 48rem; } li { max-width: 46rem; } .small, figcaption { color: var(--soft); font-size: .875rem; }
        .tiles, .charts { display: flex; flex-wrap: wrap; gap: 1rem; }
        .tiles div { flex: 1 1 16rem; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; }
        .tiles strong { display: block; font-size: 1.7rem; line-height: 1.2; } .tiles p { font-size: .875rem; }
        figure { margin: .5rem 0; flex: 1 1 24rem; min-width: 0; max-width: 28rem; } svg { width: 100%; height: auto; }
        svg text { fill: var(--soft); font-size: 12px; } .chart text { font-size: 13px; }
        .grid { stroke: var(--rule); stroke-width: 1; }
        .guide { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
        .a, .b { fill: none; stroke-width: 2; stroke: var(--a); } .b { stroke: var(--b); }
        circle.a, rect.a { fill: var(--a); stroke: none; } circle.b { fill: var(--b); stroke: none; }
        circle.faint { fill: var(--a); fill-opacity: .35; }
        .swatch { display: inline-block; width: 1.4rem; height: 0; margin: 0 .3rem 0 .8rem; vertical-align: middle;
            border-top: 3px solid var(--a); } .swatch.b { border-color: var(--b); } .swatch.guide { border-top: 2px dashed var(--soft); }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .875rem; }
        th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top;
            max-width: min(28rem, 70vw); overflow-wrap: break-word; } th { color: var(--soft); font-weight: 600; }
        .number, .matrix td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .matrix td { padding: .2rem .4rem; background: rgba(var(--heat), var(--share)); }
        .matrix td.right { font-weight: 700; outline: 1px solid var(--rule); }
        .matrix th:first-child { min-width: 4.5rem; }
        @media screen { .matrix.numbered th:first-child { min-width: 1.6rem; } .matrix.numbered th:nth-child(2) { min-width: 7rem; }
            .matrix.numbered td { min-width: 1.2rem; } }
        @media screen { .matrix th:first-child { position: sticky; left: 0; background: var(--paper); } }
        pre { overflow-x: auto; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem;
            font-size: .875rem; } code { font-family: ui-monospace, Consolas, monospace; }
        @media (max-width: 30rem) { body { padding: 1rem; } .tiles div { flex-basis: 100%; } }
        @media screen and (max-width: 48rem) { table:not(.matrix) td:not(.number) { min-width: 7rem; } }
        @media print { body { max-width: none; padding: 0; } .scroll, pre { overflow: visible; } pre { white-space: pre-wrap; }
            table { font-size: .55rem; } th, td { padding: .1rem .2rem; max-width: 12rem; } .number { white-space: normal; }
            .matrix th, .matrix td { padding: 0 .1rem; max-width: 4rem; } .matrix.numbered th:nth-child(2) { max-width: 10rem; }
            .matrix.numbered th:first-child { min-width: 0; } }
        :root { --c: #15803d; --d: #7e22ce; --e: #a16207; --f: #be185d; }
        @media screen and (prefers-color-scheme: dark) { :root { --c: #5bd38a; --d: #c792f5; --e: #e3c04d; --f: #ff8dbb; } }
        .c, .d, .e, .f { fill: none; stroke-width: 2; } .c { stroke: var(--c); } .d { stroke: var(--d); } .e { stroke: var(--e); }
        .f { stroke: var(--f); } circle.c { fill: var(--c); stroke: none; } circle.d { fill: var(--d); stroke: none; }
        circle.e { fill: var(--e); stroke: none; } circle.f { fill: var(--f); stroke: none; }
        .swatch.c { border-color: var(--c); } .swatch.d { border-color: var(--d); } .swatch.e { border-color: var(--e); }
        .swatch.f { border-color: var(--f); } .swatch.band { border-top-width: .7rem; opacity: .3; }
        polygon.band { stroke: none; fill-opacity: .2; } polygon.a { fill: var(--a); } polygon.b { fill: var(--b); }
        polygon.c { fill: var(--c); } polygon.d { fill: var(--d); } polygon.e { fill: var(--e); } polygon.f { fill: var(--f); }
        .figure { margin: 1.4rem 0; } .figure h3 { margin-bottom: 0; }
        .scroll > table:not(.matrix) th { overflow-wrap: normal; } .scroll > table:not(.matrix) td:first-child { min-width: 9rem; }
        .span { width: 7.5rem; height: 1rem; } .span path { fill: var(--a); } .span .ends { fill: var(--b); }
        .bars { width: 6rem; height: 1.25rem; } .bars path { fill: var(--a); }
        .graph { max-width: none; } .graph .scroll { overflow: auto; max-height: 85vh; border: 1px solid var(--rule);
            border-radius: .5rem; } .graph svg { display: block; } .graph .op { fill: var(--ink); font-weight: 600; }
        .graph text { unicode-bidi: isolate; } .edge { fill: none; stroke: var(--soft); stroke-width: 1.2; } .tip { fill: var(--soft); }
        .box { fill: var(--panel); stroke: var(--rule); rx: 4px; } .box.end { fill: var(--paper); rx: 20px; }
        .box.many { stroke-dasharray: 2 3; stroke: var(--soft); } .box.took { stroke: var(--a); stroke-width: 2; }
        .box.gone { stroke: var(--a); stroke-dasharray: 5 4; } .box.changed { stroke: var(--b); stroke-dasharray: 5 4; }
        .box.kept { stroke: var(--b); stroke-width: 2; } .swatch.gone { border-top-style: dashed; }
        .swatch.changed { border-top: 3px dashed var(--b); } .swatch.kept { border-top-color: var(--b); }
        @media print { .graph .scroll { overflow: visible; max-height: none; } .graph svg { width: 100% !important;
            height: auto !important; } }
        """;
}

using System.Globalization;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

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

    /// <summary>A table; numbers are set to the right.</summary>
    /// <param name="header">The heads of the columns.</param>
    /// <param name="rows">The cells: texts, or elements, or numbers as <see cref="Number"/> gives them.</param>
    public static XElement Table(IEnumerable<string> header, IEnumerable<IEnumerable<object>> rows) => new(
        "table",
        new XElement("thead", new XElement("tr", header.Select(text => new XElement("th", text)))),
        new XElement(
            "tbody",
            rows.Select(
                row =>
                    new XElement("tr", row.Select(cell => cell is XElement { Name.LocalName: "td" } ? cell : new XElement("td", cell))))));

    /// <summary>A number in a table.</summary>
    public static XElement Number(string text) => new("td", new XAttribute("class", "number"), text);

    /// <summary>A count, or a weight of rows: whole numbers with separators, others with two digits.</summary>
    public static string Count(double value) => value.ToString(value == Math.Floor(value) ? "N0" : "N2", CultureInfo.InvariantCulture);

    /// <summary>A share: 0.1234 is 12.3 %; a share of nothing is a dash.</summary>
    public static string Percent(double share) =>
        double.IsNaN(share) ? "–" : string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.0} %");
}

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

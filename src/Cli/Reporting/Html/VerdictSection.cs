using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What it comes to, at the top of the page.</summary>
internal static class VerdictSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        yield return Html.H2("In short");
        if (found.Trained.BaseRateWarning is { } warning) yield return Html.P(new XElement("strong", "Warning: "), warning + ".");
        yield return new XElement("ul", found.Verdict.Select(sentence => new XElement("li", sentence)));
    }
}

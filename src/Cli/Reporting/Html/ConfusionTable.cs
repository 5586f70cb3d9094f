using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>A confusion matrix as a table with shades, and the figures of each class.</summary>
internal static class ConfusionTable
{
    // More do not fit on a page; then only the figures of each class and the most frequent mistakes are shown.
    private const int MostClasses = 30;
    private const int MostMistakes = 20;

    // Of a name above a column, and of all of them together, in letters.
    private const int LongestHead = 12;
    private const int MostInHead = 64;

    // With fewer classes mistakes are seen in the matrix.
    private const int ManyClasses = 8;

    public static XElement Create(ConfusionMatrix matrix, IReadOnlyList<string> classes) => new(
        "div",
        matrix.Classes <= MostClasses ? Matrix(matrix, classes) : null,
        matrix.Classes > ManyClasses ? Mistakes(matrix, classes) : null,
        Html.Table(
            ["class", "test rows", "recognized", "right when predicted"],
            classes.Select((name, i) => new object[]
            {
                name, Html.Number(Html.Count(matrix.Actual(i))), Html.Number(Html.Percent(matrix.Recall(i))),
                Html.Number(Html.Percent(matrix.Precision(i))),
            })),
        Html.Small(
            "Recognized (recall): the share of the class's rows that are predicted as it. Right when predicted (precision): the share of "
                + "the rows predicted as it that are it."));

    // Where the names would take more room than the page has, the columns have numbers, and the lines both.
    private static XElement Matrix(ConfusionMatrix matrix, IReadOnlyList<string> classes)
    {
        var isShort = classes.All(name => name.Length <= LongestHead) && classes.Sum(name => name.Length + 1) <= MostInHead;
        string[] heads = isShort ? [.. classes] : [.. classes.Select((_, i) => string.Create(CultureInfo.InvariantCulture, $"{i + 1}"))];
        var corner = isShort ? new[] { "is ↓ predicted →" } : ["is ↓", "predicted →"];
        return Html.Scrolling(new XElement(
            "table",
            new XAttribute("class", isShort ? "matrix" : "matrix numbered"),
            new XElement("thead", new XElement("tr", corner.Concat(heads).Select(name => new XElement("th", name)))),
            new XElement("tbody", classes.Select((name, actual) => new XElement(
                "tr",
                new XElement("th", heads[actual]),
                isShort ? null : new XElement("th", name),
                classes.Select((_, predicted) => Cell(matrix, actual, predicted)))))));
    }

    private static XElement Cell(ConfusionMatrix matrix, int actual, int predicted)
    {
        var (count, all) = (matrix[actual, predicted], matrix.Actual(actual));
        var share = all > 0 ? count / all : 0;
        return new XElement(
            "td",
            actual == predicted ? new XAttribute("class", "right") : null,
            new XAttribute("style", string.Create(CultureInfo.InvariantCulture, $"--share: {0.5 * share:0.###}")),
            count == 0 ? string.Empty : Html.Count(count));
    }

    private static XElement Mistakes(ConfusionMatrix matrix, IReadOnlyList<string> classes)
    {
        var pairs = from actual in Enumerable.Range(0, matrix.Classes)
                    from predicted in Enumerable.Range(0, matrix.Classes)
                    where actual != predicted && matrix[actual, predicted] > 0
                    orderby matrix[actual, predicted] descending
                    select new object[] { classes[actual], classes[predicted], Html.Number(Html.Count(matrix[actual, predicted])) };
        return new XElement(
            "div", Html.H3("The most frequent mistakes"), Html.Table(["is", "predicted", "test rows"], pairs.Take(MostMistakes)));
    }
}

/// <summary>Several classes: which are taken for which.</summary>
internal static class MulticlassSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        var (trained, rows) = (found.Trained, found.Trained.Tested.Rows);
        yield return Html.H2("Where it is right and wrong");
        yield return Html.P(
            "Predicted is the class with the highest probability. Each line shows what became of the test rows of one class; what is not "
                + "on the diagonal is wrong.");
        yield return ConfusionTable.Create(
            ConfusionMatrix.Of(trained.Tested.Predictions, rows.TargetArray, rows.Outputs, rows.WeightArray), trained.Schema.Label.Classes);
        yield return Html.H3("Are the probabilities what they say");
        yield return Reliability.Curve(found.Reliability, "probability of the class that is predicted");
        yield return Reliability.Error(found.Reliability);
        yield return Reliability.Table(found.Reliability);
    }
}

using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using Part = MlNetBatchNorm.Cli.Reporting.Html.Html;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// <c>inspect --html</c>: a model on one page, with its graph before and after folding. The fold is the one of <c>fold --proof parts</c>;
/// the folded model is not kept.
/// </summary>
internal static class ModelPage
{
    // A page of thousands would not be read.
    private const int MostBatchNorms = 300;
    private const int LongestFact = 4000;

    /// <summary>Writes the page.</summary>
    /// <param name="model">The model, which is left as it is.</param>
    /// <param name="name">What it is called.</param>
    /// <param name="facts">What is known of it, by name.</param>
    /// <param name="path">The file; <see cref="Output.Standard"/> is stdout.</param>
    /// <exception cref="InvalidModelException">Operands of the model do not fit together.</exception>
    public static void Write(ModelProto model, string name, IEnumerable<(string Name, string Value)> facts, string path)
    {
        var given = FunctionInlining.Of(model, "BatchNormalization").Model;
        var proven = ProvenFold.Run(given, new FoldOptions());
        if (proven.Unknown.Count > 0) proven.DeclineUnknown(string.Empty);
        var fold = proven.Fold;
        var (before, after) = (new ModelEditor(given), new ModelEditor(fold.Model.Proto));
        var page = HtmlPage.Create(
            Path.GetFileName(name),
            string.Create(CultureInfo.InvariantCulture, $"looked at on {DateTime.Now:yyyy-MM-dd} by mlnetbn {ModelFile.ProducerVersion}"),
            Part.Table(["what", "is"], facts.Select(fact => new object[] { fact.Name, Lines(fact.Value) })),
            Folding(fold),
            Part.H2("The graph"),
            given == model ? null : Part.P("Functions that hold batch normalizations stand in the place of their calls."),
            GraphDrawing.Create(before.Main, after.Main, [.. fold.BatchNorms, .. fold.Chains]),
            LazilyRead(() => RangesSection.Create(before.Graphs, after.Graphs)));
        Output.WriteText(path, text => text.Write(page));
    }

    private static IEnumerable<XElement> Folding(FoldResult fold)
    {
        yield return Part.H2("What folding makes of it");
        if (fold.BatchNorms.Count + fold.Chains.Count == 0)
        {
            yield return Part.P("There is no batch normalization in it.");
            yield break;
        }

        yield return Part.P(
            $"Of {fold.BatchNorms.Count} batch normalizations {fold.Removed} are gone or simpler in the folded model, which 'mlnetbn fold' "
            + "writes; each part that changes was computed by itself on both sides.");
        yield return Part.Table(
            ["", "before", "after"],
            [
                Sizes("nodes", fold.NodesBefore, fold.NodesAfter),
                Sizes("parameters", fold.ParametersBefore, fold.ParametersAfter),
                Sizes("bytes", fold.BytesBefore, fold.BytesAfter),
            ]);
        List<BatchNormOutcome> outcomes = [.. fold.BatchNorms, .. fold.Chains];
        yield return new XElement(
            "div",
            new XAttribute("class", "scroll"),
            new XAttribute("tabindex", "0"),
            Part.Table(
                ["batch normalization", "became", "into", "error", "why not, and what would help"],
                outcomes.Take(MostBatchNorms).Select(Cells)));
        if (outcomes.Count > MostBatchNorms)
            yield return Part.Small(
                $"The first {MostBatchNorms} of {Part.Count(outcomes.Count)}; "
                + "'mlnetbn fold MODEL.onnx --dry-run --report FILE.json' has all.");
        yield return Part.Small(
            "Folded: the weights of a neighbour took it in. Composed: another batch normalization or constant did. Rewritten: something "
            + "simpler stands in its place. Declined: it stays. The error is that of the folded part beside float64, in relation to the "
            + "largest value of a channel.");
        foreach (var warning in fold.Warnings) yield return Part.P(new XElement("strong", "Warning: "), warning);
    }

    private static IEnumerable<object> Cells(BatchNormOutcome outcome) =>
    [
        Part.Short(outcome.Operators == "BatchNormalization" ? outcome.Name : $"{outcome.Name} ({outcome.Operators})"),
        FoldReport.Status(outcome.Status),
        Part.Short(outcome.Into),
        Part.Number(outcome.RelativeError is { } error ? error.ToString("G2", CultureInfo.InvariantCulture) : "–"),
        string.Join("; it would fold if ", new[] { outcome.Reason, outcome.WouldFoldIf }.Where(text => text.Length > 0).Select(
            text => Part.Short(text))),
    ];

    private static object[] Sizes(string what, long before, long after) =>
        [what, Part.Number(Part.Count(before)), Part.Number(Part.Count(after))];

    private static IEnumerable<object> Lines(string text) =>
        Part.Short(text, LongestFact).Split('\n').SelectMany((line, i) => i == 0 ? new object[] { line } : [new XElement("br"), line]);

    // Folded weights of a large model are computed as they are read, in a buffer that they share.
    private static List<XElement> LazilyRead(Func<IEnumerable<XElement>> create)
    {
        List<XElement> parts = [];
        LazyBytes.OneAfterAnother(() => parts.AddRange(create()));
        return parts;
    }
}

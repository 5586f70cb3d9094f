using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>All that is known of one batch normalization of a model that was folded, for <c>fold --explain NAME</c>.</summary>
internal static class FoldExplanation
{
    // Of a model with thousands, the first are enough to see how they are called.
    private const int MostNames = 20;

    /// <summary>Prints it to stdout.</summary>
    /// <param name="path">The model as it was before.</param>
    /// <param name="result">What was done.</param>
    /// <param name="name">The name of a batch normalization, or of a node of a chain that stands for one.</param>
    /// <exception cref="ArgumentException">Nothing in the report has that name.</exception>
    public static void Print(string path, FoldFileResult result, string name)
    {
        var all = result.Fold.BatchNorms.Concat(result.Fold.Chains).ToList();
        var outcome = all.Find(outcome => outcome.Name == name) ?? all.Find(outcome => outcome.Name.Split(", ").Contains(name))
            ?? throw new ArgumentException($"'{path}' has no batch normalization named '{name}'; {Names(all)}", nameof(name));
        Console.WriteLine($"{outcome.Operators} '{outcome.Name}': {FoldReport.Status(outcome.Status)}");
        var editor = new ModelEditor(FunctionInlining.Of(ModelFile.Read(path), "BatchNormalization").Model);
        foreach (var graph in editor.Graphs)
        {
            if (graph.Nodes.FirstOrDefault(node => outcome.Name.Split(", ").Contains(node.Label())) is not { } node) continue;
            Describe(node, graph);
            break;
        }

        if (outcome.Into.Length > 0) Line("taken in by", outcome.Into);
        if (outcome.RelativeError is { } error)
            Line(
                "error",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{outcome.AbsoluteError:G3} absolute, {error:G3} of a channel's scale (before: {outcome.RelativeErrorBefore:G3})"));
        foreach (var (side, text) in Sides(outcome.Reason)) Line(side, text);
        if (outcome.WouldFoldIf.Length > 0) Line("would fold if", outcome.WouldFoldIf);
    }

    private static string Names(List<BatchNormOutcome> all) => all.Count == 0
        ? "it has none."
        : $"it has {string.Join(", ", all.Take(MostNames).Select(outcome => $"'{outcome.Name}'"))}"
            + (all.Count > MostNames ? ", …" : ".");

    private static void Describe(NodeProto node, OnnxGraph graph)
    {
        if (node.Is("BatchNormalization"))
        {
            var verdict = BatchNormReader.Read(node, new FoldPlan(graph), out var map);
            Line("what it does", verdict.IsYes ? $"y = s·x + t in {map.Count} channels, {Range("s", map.Scale)}, {Range("t", map.Shift)}"
                : $"unknown: {verdict.Reason}");
        }

        var data = node.Input.FirstOrDefault(input => graph.Constant(input).Tensor is null) ?? node.InputAt(0);
        var maker = graph.Producer(data) is { } producer ? $"made by {producer.Describe()}" : "which comes from outside";
        var others = graph.Readers(data).Where(use => !ReferenceEquals(use.Node, node)).Select(use => use.Node.Describe()).ToList();
        var shape = graph.Shape(data)?.ToString() ?? "[?]";
        Line("it reads", $"'{data}' {shape}, {maker}{(others.Count > 0 ? $"; also read by {string.Join(", ", others)}" : string.Empty)}");
        var readers = graph.Readers(node.Output[0]).Select(use => use.Node.Describe()).ToList();
        if (graph.IsOutput(node.Output[0])) readers.Add("the caller, as an output");
        Line("read by", string.Join(", ", readers));
    }

    private static string Range(string name, double[] values) =>
        string.Create(CultureInfo.InvariantCulture, $"{name} from {values.Min():G4} to {values.Max():G4}");

    // "before it: …; behind it: …" as two lines.
    private static IEnumerable<(string Side, string Text)> Sides(string reason)
    {
        const string before = "before it: ";
        const string behind = "; behind it: ";
        if (reason.Length == 0) yield break;
        var cut = reason.IndexOf(behind, StringComparison.Ordinal);
        if (cut < 0 || !reason.StartsWith(before, StringComparison.Ordinal))
        {
            yield return ("why not", reason);
            yield break;
        }

        yield return ("not before it", reason[before.Length..cut]);
        yield return ("not behind it", reason[(cut + behind.Length)..]);
    }

    private static void Line(string what, string text) => Console.WriteLine($"  {what + ":",-15}{text}");
}

using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What is drawn of a graph: boxes for its inputs, nodes and outputs, in this order, and who reads whom.</summary>
internal sealed class DrawnGraph
{
    /// <summary>The style of a node that takes batch normalizations in.</summary>
    public const string Taking = "took";

    // As many as one still finds one's way among; a page with twice as many is half a megabyte.
    private const int MostNodes = 150;

    // Fewer copies than that are quickly looked through.
    private const int FewestCopies = 4;
    private const int LongestRepeated = 200;

    private readonly OnnxGraph _graph;
    private readonly List<NodeProto> _nodes;
    private readonly List<(int From, int To)> _edges = [];
    private readonly Dictionary<string, int> _ofInput = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _ofOutput = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeProto, int> _ofNode = new(ReferenceEqualityComparer.Instance);
    private readonly List<Summary> _summaries;
    private readonly List<int?> _twins = [];

    private DrawnGraph(OnnxGraph graph)
    {
        _graph = graph;
        var constants = new HashSet<string>(graph.Proto.Initializer.Select(tensor => tensor.Name), StringComparer.Ordinal);
        foreach (var node in graph.Nodes.Where(node => IsConstant(node, constants))) constants.UnionWith(node.Output);
        _nodes = [.. graph.Nodes.Where(node => !node.Output.Any(constants.Contains))];
        Constants = graph.Nodes.Count() - _nodes.Count;
        _summaries = Summarize([.. _nodes.Select(node => $"{node.OpType} {ShapeOf(node)}")]);
    }

    /// <summary>The boxes.</summary>
    public List<Box> Boxes { get; } = [];

    /// <summary>The nodes that are not drawn since they compute with constants only.</summary>
    public int Constants { get; }

    /// <summary>The nodes that have no box of their own.</summary>
    public int LeftOut => _summaries.Sum(summary => summary.End - summary.Start);

    /// <summary>The boxes that stand for them.</summary>
    public int Summaries => _summaries.Count;

    /// <summary>The graph as it was given.</summary>
    public static DrawnGraph Before(OnnxGraph graph, IReadOnlyList<BatchNormOutcome> outcomes)
    {
        var drawn = new DrawnGraph(graph);
        var byName = outcomes.SelectMany(outcome => outcome.Name.Split(", ").Select(name => (name, outcome)))
            .ToLookup(pair => pair.name, pair => pair.outcome, StringComparer.Ordinal);
        drawn.AddBoxes(
            [.. Enumerable.Range(0, drawn._nodes.Count)],
            null,
            node => byName[node.Label()].FirstOrDefault() is { } outcome
                ? (StyleOf(outcome.Status), outcome.Into.Length > 0 ? $"→ {outcome.Into}" : "stays")
                : (string.Empty, null));
        return drawn;
    }

    /// <summary>The folded graph, which leaves out what the given one leaves out.</summary>
    public static DrawnGraph After(OnnxGraph graph, IReadOnlyList<BatchNormOutcome> outcomes, DrawnGraph before)
    {
        var drawn = new DrawnGraph(graph);
        var taken = outcomes.SelectMany(outcome => outcome.Into.Split(", ").Select(into => (into, outcome.Name)))
            .ToLookup(pair => pair.into, pair => pair.Name, StringComparer.Ordinal);
        drawn._summaries.Clear();
        drawn._summaries.AddRange(before._summaries);

        // What is new counts as what stands before it.
        var byName = Unique(before._nodes.Select((node, i) => (node.Name, i)));
        var byValue = Unique(before._nodes.SelectMany((node, i) => node.Output.Select(output => (output, i))));
        var (places, twins, last) = (new List<int>(), new List<int?>(), 0);
        foreach (var node in drawn._nodes)
        {
            int? twin = byName.TryGetValue(node.Name, out var place) || byValue.TryGetValue(node.Output[0], out place) ? place : null;
            last = Math.Max(last, twin ?? last);
            twins.Add(twin is { } known ? before._ofNode[before._nodes[known]] : null);
            places.Add(last);
        }

        drawn.AddBoxes(places, (before, twins), node => taken[node.Label()].Distinct().ToArray() switch
        {
            [] => (string.Empty, null),
            [var only] => (Taking, $"with {only}"),
            [var first, .. var others] => (Taking, $"with {first} and {others.Length} more"),
        });
        return drawn;
    }

    /// <summary>The style of a batch normalization.</summary>
    public static string StyleOf(FoldStatus status) => status switch
    {
        FoldStatus.Declined => "kept",
        FoldStatus.Rewritten => "changed",
        _ => "gone",
    };

    /// <summary>Where the boxes lie; beside another graph, those that it has too on the same height.</summary>
    public GraphLayout Layout(GraphLayout? before = null) =>
        new(_edges, [.. _twins.Select(twin => twin is { } box ? before!.Row(box) : 0)]);

    private void AddBoxes(
        List<int> places,
        (DrawnGraph Graph, IReadOnlyList<int?> OfNode)? before,
        Func<NodeProto, (string Style, string? Detail)> judge)
    {
        foreach (var input in _graph.Proto.Input.Where(input => _graph.Initializer(input.Name) is null))
        {
            _ofInput.TryAdd(input.Name, Boxes.Count);
            _twins.Add(before?.Graph._ofInput.TryGetValue(input.Name, out var twin) == true ? twin : null);
            Boxes.Add(new Box("input", input.Name, Shape(input.Name), "end", $"input '{input.Name}' {Shape(input.Name)}"));
        }

        var ofSummary = new Dictionary<Summary, (int Box, List<NodeProto> Nodes)>();
        for (var i = 0; i < _nodes.Count; i++)
        {
            var node = _nodes[i];
            if (_summaries.Find(summary => summary.Start <= places[i] && places[i] < summary.End) is { } left)
            {
                if (!ofSummary.TryGetValue(left, out var group))
                {
                    ofSummary.Add(left, group = (Boxes.Count, []));
                    Boxes.Add(Box.Empty);
                    _twins.Add(before?.OfNode[i]);
                }

                group.Nodes.Add(node);
                _ofNode.Add(node, group.Box);
                continue;
            }

            var (style, detail) = judge(node);
            _ofNode.Add(node, Boxes.Count);
            _twins.Add(before?.OfNode[i]);
            Boxes.Add(new Box(node.OpType, node.Label(), detail ?? ShapeOf(node), style, Tip(node, detail)));
        }

        foreach (var (summary, (box, nodes)) in ofSummary) Boxes[box] = summary.ToBox(nodes);
        foreach (var output in _graph.Proto.Output)
        {
            _ofOutput.TryAdd(output.Name, Boxes.Count);
            _twins.Add(before?.Graph._ofOutput.TryGetValue(output.Name, out var twin) == true ? twin : null);
            Boxes.Add(new Box("output", output.Name, Shape(output.Name), "end", $"output '{output.Name}' {Shape(output.Name)}"));
        }

        foreach (var (name, box) in _ofInput) AddEdges(name, box);
        foreach (var node in _nodes)
            foreach (var output in node.Output) AddEdges(output, _ofNode[node]);
    }

    private void AddEdges(string value, int box)
    {
        foreach (var use in _graph.Readers(value))
            if (_ofNode.TryGetValue(use.Node, out var reader)) _edges.Add((box, reader));
        if (_ofOutput.TryGetValue(value, out var output)) _edges.Add((box, output));
    }

    private string Tip(NodeProto node, string? detail)
    {
        var inside = node.Subgraphs().Sum(graph => graph.Node.Count);
        var domain = node.IsStandard() ? string.Empty : $" of {node.Domain}";
        return $"{node.OpType}{domain} '{node.Label()}'\ngives {ShapeOf(node)}"
            + (inside > 0 ? $"\nhas {inside} nodes inside" : string.Empty)
            + (detail is null ? string.Empty : $"\n{detail}");
    }

    private string ShapeOf(NodeProto node) => Shape(node.Output.FirstOrDefault(output => output.Length > 0) ?? string.Empty);

    private string Shape(string value) => _graph.Shape(value)?.ToString() ?? "shape not known";

    private static bool IsConstant(NodeProto node, HashSet<string> constants) => node.Is("Constant")
        || (node.Input.Count > 0 && node.Input.All(input => input.Length == 0 || constants.Contains(input))
            && !node.Subgraphs().Any() && !node.OpType.StartsWith("Random", StringComparison.Ordinal));

    private static Dictionary<string, int> Unique(IEnumerable<(string Name, int Place)> named) => named
        .Where(pair => pair.Name.Length > 0).GroupBy(pair => pair.Name, StringComparer.Ordinal).Where(group => group.Count() == 1)
        .ToDictionary(group => group.Key, group => group.Single().Place, StringComparer.Ordinal);

    // Of repetitions, the copies between the first and the last; if that is not enough, all between the first and the last boxes.
    private static List<Summary> Summarize(string[] kinds)
    {
        var summaries = new List<Summary>();
        if (kinds.Length <= MostNodes) return summaries;
        foreach (var found in Repetitions(kinds).OrderByDescending(found => found.End - found.Start))
            if (!summaries.Exists(other => found.Start < other.End && other.Start < found.End)) summaries.Add(found);
        summaries.Sort((a, b) => a.Start.CompareTo(b.Start));
        var isOwn = new bool[kinds.Length];
        Array.Fill(isOwn, true);
        foreach (var summary in summaries) Array.Fill(isOwn, false, summary.Start + 1, summary.End - summary.Start - 1);
        int[] own = [.. Enumerable.Range(0, kinds.Length).Where(i => isOwn[i])];
        if (own.Length <= MostNodes) return summaries;
        var (start, end) = (own[MostNodes / 2], own[^(MostNodes / 2)]);
        summaries.RemoveAll(summary => start <= summary.Start && summary.End <= end);
        summaries.Add(new Summary(start, end, 0));
        return summaries;
    }

    // Where the kind of each node is that of the one some places further, again and again.
    private static IEnumerable<Summary> Repetitions(string[] kinds)
    {
        for (var length = 1; length <= Math.Min(LongestRepeated, kinds.Length / FewestCopies); length++)
        {
            var run = 0;
            for (var i = 0; i + length <= kinds.Length; i++)
            {
                if (i + length < kinds.Length && kinds[i] == kinds[i + length])
                {
                    run++;
                    continue;
                }

                var (start, copies) = (i - run, (run / length) + 1);
                if (copies >= FewestCopies) yield return new Summary(start + length, start + ((copies - 1) * length), copies - 2);
                run = 0;
            }
        }
    }

    /// <summary>A box with three lines.</summary>
    /// <param name="Title">The operator.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="Detail">What else is to be said.</param>
    /// <param name="Style">A class of the style sheet.</param>
    /// <param name="Tip">All of it in full.</param>
    public sealed record Box(string Title, string Name, string Detail, string Style, string Tip)
    {
        public static Box Empty { get; } = new(string.Empty, string.Empty, string.Empty, string.Empty, string.Empty);
    }

    /// <summary>Nodes that are one box.</summary>
    /// <param name="Start">The place of the first.</param>
    /// <param name="End">That behind the last.</param>
    /// <param name="Copies">How many repetitions they are; 0 = none.</param>
    private sealed record Summary(int Start, int End, int Copies)
    {
        public Box ToBox(List<NodeProto> nodes)
        {
            var kinds = string.Join(", ", nodes.GroupBy(node => node.OpType).OrderByDescending(group => group.Count()).Select(
                group => $"{group.Count()} {group.Key}"));
            var name = Copies > 0 ? $"the same {Html.Count(Copies)} times more" : "left out";
            return new Box($"… {Html.Count(nodes.Count)} more nodes", name, kinds, "many", $"{nodes.Count} more nodes, {name}: {kinds}");
        }
    }
}

/// <summary>Texts that have to fit into a box, whatever font a reader has: they are measured by the widest usual one.</summary>
internal static class BoxText
{
    private const int Longest = 160;

    /// <summary>A text of 12 pixels; of one that is too wide, the beginning and the end.</summary>
    /// <param name="text">The text.</param>
    /// <param name="width">The room for it, in pixels.</param>
    /// <param name="isBold">Whether it is set in bold.</param>
    public static string Fit(string text, double width, bool isBold = false)
    {
        if (isBold) width /= 1.12;
        var isCut = text.Length > Longest;
        if (isCut) text = $"{text[..(Longest / 2)]}{text[^(Longest / 2)..]}";
        var letters = new List<string>();
        for (var all = StringInfo.GetTextElementEnumerator(text); all.MoveNext();) letters.Add(all.GetTextElement());
        if (!isCut && letters.Sum(Width) <= width) return text;

        // Names differ at their ends.
        var (first, last, used) = (0, letters.Count, Width("…"));
        while (first < last)
        {
            var isEnd = letters.Count - last <= first;
            used += Width(letters[isEnd ? last - 1 : first]);
            if (used > width) break;
            if (isEnd) last--;
            else first++;
        }

        return $"{string.Concat(letters.Take(first))}…{string.Concat(letters.Skip(last))}";
    }

    private static double Width(string letter) => letter[0] switch
    {
        'i' or 'j' or 'l' or '.' or ',' or ':' or ';' or '\'' or '|' or '!' or ' ' => 4,
        'f' or 't' or 'r' or '(' or ')' or '[' or ']' or '/' or '\\' or '-' => 5.2,
        'm' or 'w' or 'M' or 'W' or '@' or '%' or '…' => 12,
        >= 'A' and <= 'Z' => 9.4,
        < '\u0250' => 7.7,
        < '\u1100' => 9,
        _ => 16,
    };
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Reads −x, x·k, x/k, x+k, x−k and k−x, with a constant k of one element or one per channel, as a channel map.</summary>
internal static class ConstantArithmetic
{
    /// <summary>The map of a node, or null when it is none of these.</summary>
    /// <param name="node">The node.</param>
    /// <param name="plan">Gives constants and shapes.</param>
    /// <param name="data">Which input is x.</param>
    public static ChannelMap? Read(NodeProto node, FoldPlan plan, out int data)
    {
        data = 0;
        if (node.Is("Neg")) return new ChannelMap(0, [-1], [0]);
        if (!node.IsStandard() || node.OpType is not ("Mul" or "Div" or "Add" or "Sub")) return null;
        if (Operand(node, plan, out data, out var axis) is not { } k || (node.OpType == "Div" && data == 1)) return null;
        var (ones, zeros) = (Array.ConvertAll(k, _ => 1.0), new double[k.Length]);
        var map = (node.OpType, data) switch
        {
            ("Mul", _) => new ChannelMap(axis, k, zeros),
            ("Div", _) => new ChannelMap(axis, Array.ConvertAll(k, value => 1 / value), zeros),
            ("Add", _) => new ChannelMap(axis, ones, k),
            ("Sub", 0) => new ChannelMap(axis, ones, Array.ConvertAll(k, value => -value)),
            _ => new ChannelMap(axis, Array.ConvertAll(k, _ => -1.0), k),
        };
        return map.IsFinite ? map : null;
    }

    /// <summary>
    /// The constant that a node of two operands joins with x, when it has one element or one per channel; null otherwise.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="plan">Gives constants and shapes.</param>
    /// <param name="data">Which input is x.</param>
    /// <param name="axis">The axis of x that the channels lie on; without meaning for one element.</param>
    public static double[]? Operand(NodeProto node, FoldPlan plan, out int data, out int axis)
    {
        (data, axis) = (0, 0);
        if (node.Input.Count != 2) return null;
        var constant = plan.Constant(node, 1).Tensor;
        if (constant is null)
        {
            if (plan.Constant(node, 0).Tensor is not { } first) return null;
            (constant, data) = (first, 1);
        }

        if (ChannelAxis(node, plan.Graph, data, constant) is not { } found) return null;
        axis = found;
        return constant.ToArray();
    }

    private static int? ChannelAxis(NodeProto node, OnnxGraph graph, int data, RealTensor constant)
    {
        var rank = graph.Shape(node.InputAt(data))?.Rank;
        var wide = Enumerable.Range(0, constant.Rank).Where(axis => constant.Shape[axis] != 1).ToArray();
        if (wide.Length > 1 || constant.Count == 0) return null;
        if (graph.Opset < 7)
        {
            // The old broadcast aligns the constant at an axis that is given, or at the end.
            if (data != 0 || (node.Integer("broadcast", 0) == 0 && constant.Count != 1)) return null;
            if (wide.Length == 0) return 0;
            var start = node.Attribute("axis") is { } given ? (int)given.I : rank - constant.Rank;
            return start is >= 0 and var first ? first + wide[0] : null;
        }

        // A constant of more dimensions than the data, or of more channels, would give the result a shape of its own.
        if (constant.Rank > 0 && (rank is null || constant.Rank > rank)) return null;
        if (wide.Length == 0) return 0;
        var axis = rank!.Value - constant.Rank + wide[0];
        return graph.Shape(node.InputAt(data))![axis].Size == constant.Count ? axis : null;
    }
}

/// <summary>Constant Mul, Div, Add, Sub and Neg directly before or behind a batch normalization: they become part of it.</summary>
internal static class ArithmeticFold
{
    /// <summary>Whether a node may be what is merged, or part of a chain.</summary>
    public static bool IsArithmetic(NodeProto node) => node.IsStandard() && node.OpType is "Mul" or "Div" or "Add" or "Sub" or "Neg";

    // A chain of any length goes in steps of so many nodes: what is tried in vain is bounded for each node.
    private const int MostLinks = 1000;

    /// <summary>Merges a node, with as many as there are behind it, into the batch normalization before it.</summary>
    /// <param name="node">The node.</param>
    /// <param name="graph">Its graph.</param>
    /// <param name="log">Gets the names of what was merged.</param>
    /// <param name="mayMerge">Whether a node behind it may go with it.</param>
    public static bool TryMergeUp(NodeProto node, OnnxGraph graph, FoldLog log, Func<NodeProto, bool> mayMerge)
    {
        if (!graph.Contains(node) || !node.Input.Any(input => graph.Producer(input) is { } maker && maker.Is("BatchNormalization")))
            return false;
        var plan = new FoldPlan(graph);
        if (Link(node, plan) is not { } first) return false;
        if (graph.Producer(node.Input[first.Data]) is not { } producer || !producer.Is("BatchNormalization")) return false;
        var links = Chain(
            first, link => Behind(link, plan) is { } next && mayMerge(next.Node) ? next : null, (all, next) => all.Then(next));
        var merged = Merge(links, graph, (all, next) => all.Then(next), (plan, map) => plan.Behind(node, first.Data, map));
        if (merged.Count == 0) return false;
        foreach (var link in merged[..^1]) graph.RemoveKeepingInput(link.Node, link.Data);
        graph.RemoveKeepingOutput(merged[^1].Node, merged[^1].Data);
        foreach (var link in merged) log.Merged(link.Node, [producer]);
        return true;
    }

    /// <summary>Merges a node, with as many as there are before it, into the batch normalization behind it.</summary>
    /// <param name="node">The node.</param>
    /// <param name="graph">Its graph.</param>
    /// <param name="log">Gets the names of what was merged.</param>
    /// <param name="mayMerge">Whether a node before it may go with it.</param>
    public static bool TryMergeDown(NodeProto node, OnnxGraph graph, FoldLog log, Func<NodeProto, bool> mayMerge)
    {
        if (!graph.Contains(node)) return false;
        var uses = graph.Readers(node.Output[0]);
        if (uses.Count == 0 || !uses.All(use => use.Node.Is("BatchNormalization"))) return false;
        var readers = uses.Select(use => use.Node).ToArray();
        var plan = new FoldPlan(graph);
        if (Link(node, plan) is not { } last) return false;
        var links = Chain(
            last, link => Before(link, plan) is { } next && mayMerge(next.Node) ? next : null, (all, next) => next.Then(all));
        var merged = Merge(links, graph, (all, next) => next.Then(all), (plan, map) => plan.InFront(node.Output[0], map));
        foreach (var link in merged) graph.RemoveKeepingInput(link.Node, link.Data);
        foreach (var link in merged) log.Merged(link.Node, readers);
        return merged.Count > 0;
    }

    /// <summary>A node as a link of a chain; null where it is none.</summary>
    /// <param name="node">The node.</param>
    /// <param name="plan">Gives constants and shapes.</param>
    public static ChainLink? Link(NodeProto node, FoldPlan plan) =>
        IsArithmetic(node) && ConstantArithmetic.Read(node, plan, out var data) is { } map ? new ChainLink(node, data, map) : null;

    /// <summary>The link that alone reads what another one makes; null where there is none.</summary>
    public static ChainLink? Behind(ChainLink link, FoldPlan plan) => OnlyUse(link.Node, plan.Graph) is { } use
        && Link(use.Node, plan) is { } next && next.Data == use.Input ? next : null;

    private static ChainLink? Before(ChainLink link, FoldPlan plan) =>
        plan.Graph.Producer(link.Node.Input[link.Data]) is { } maker
        && OnlyUse(maker, plan.Graph) is { } use && use.Is(link.Node, link.Data) ? Link(maker, plan) : null;

    private static Use? OnlyUse(NodeProto node, OnnxGraph graph) =>
        !graph.IsOutput(node.Output[0]) && graph.Readers(node.Output[0]) is [{ IsCapture: false } use] ? use : null;

    private static List<ChainLink> Chain(
        ChainLink first, Func<ChainLink, ChainLink?> step, Func<ChannelMap, ChannelMap, ChannelMap?> join)
    {
        List<ChainLink> links = [first];
        for (var all = first.Map; links.Count < MostLinks && step(links[^1]) is { } next && join(all, next.Map) is { } together;)
        {
            links.Add(next);
            all = together;
        }

        return links;
    }

    // As many of the links as can go together: all, or half of them, and so on.
    private static List<ChainLink> Merge(
        List<ChainLink> links, OnnxGraph graph, Func<ChannelMap, ChannelMap, ChannelMap?> join, Func<FoldPlan, ChannelMap, Verdict> move)
    {
        for (var count = links.Count; count > 0; count /= 2)
        {
            var merged = links[..count];
            var map = merged.Skip(1).Aggregate(merged[0].Map, (all, link) => join(all, link.Map)!);
            var plan = new FoldPlan(graph);
            if (!map.IsFinite || !move(plan, map).IsYes || !plan.CheckNumbers().IsYes) continue;
            plan.Apply();
            return merged;
        }

        return [];
    }
}

/// <summary>One node of a chain of constant arithmetic.</summary>
/// <param name="Node">The node.</param>
/// <param name="Data">Which of its inputs is not the constant.</param>
/// <param name="Map">What it does.</param>
internal sealed record ChainLink(NodeProto Node, int Data, ChannelMap Map);

/// <summary>
/// A chain of Mul, Div, Add, Sub and Neg with constants, behind a layer with weights: how exporters write a batch normalization that is
/// frozen (Keras's Dense, detection networks). With a factor in it the chain is one map, and the weights take it in.
/// </summary>
internal sealed class ChainFold
{
    private readonly OnnxGraph _graph;
    private readonly List<ChainLink> _links;
    private readonly ChannelMap _map;
    private readonly FoldLog _log;

    private ChainFold(OnnxGraph graph, FoldLog log, List<ChainLink> links, ChannelMap map) =>
        (_graph, _log, _links, _map) = (graph, log, links, map);

    /// <summary>The last of its nodes.</summary>
    public NodeProto Last => _links[^1].Node;

    /// <summary>The chains of a graph, each as long as it can be.</summary>
    public static List<ChainFold> FindAll(OnnxGraph graph, FoldLog log)
    {
        var (chains, seen) = (new List<ChainFold>(), new HashSet<NodeProto>(ReferenceEqualityComparer.Instance));
        var plan = new FoldPlan(graph);
        foreach (var node in graph.Nodes)
        {
            if (!ArithmeticFold.IsArithmetic(node) || !seen.Add(node) || ArithmeticFold.Link(node, plan) is not { } first) continue;
            if (graph.Constant(node.Input[first.Data]).Tensor is not null) continue;
            var (links, map) = (new List<ChainLink> { first }, first.Map);
            // Nodes stand in order, so the first of a chain is met first.
            while (ArithmeticFold.Behind(links[^1], plan) is { } next && map.Then(next.Map) is { } together)
            {
                seen.Add(next.Node);
                links.Add(next);
                map = together;
            }

            if (links.Exists(link => link.Node.OpType is "Mul" or "Div" or "Neg")) chains.Add(new ChainFold(graph, log, links, map));
        }

        return chains;
    }

    /// <summary>Moves the chain into the weights before it.</summary>
    /// <returns>What became of it; null when it is nothing that says so: what does not look like a batch normalization may stay.</returns>
    public BatchNormOutcome? TryFold()
    {
        if (!_links.TrueForAll(link => _graph.Contains(link.Node))) return null;
        var name = string.Join(", ", _links.Select(link => link.Node.Label()));
        var operators = string.Join(", ", _links.Select(link => link.Node.OpType));
        if (_links.Select(link => _log.WhyKept(link.Node)).FirstOrDefault(why => why is not null) is { } whyKept)
            return new BatchNormOutcome(name, FoldStatus.Declined, string.Empty, whyKept) { Operators = operators };
        var verdict = Fold(_links, _map, out var into);
        // What only adds may stand in the way at the beginning, and takes the rest in itself.
        var start = _links.FindIndex(link => link.Node.OpType is not ("Add" or "Sub"));
        if (!verdict.IsYes && start > 0)
        {
            var rest = _links[start..];
            verdict = Fold(rest, rest.Skip(1).Aggregate(rest[0].Map, (all, link) => all.Then(link.Map)!), out into);
        }

        if (verdict.IsYes) return new BatchNormOutcome(name, FoldStatus.Folded, into, string.Empty) { Operators = operators };
        // A scale and a shift behind something else (the end of a layer normalization, say) are no batch normalization.
        var before = _graph.Producer(_links[0].Node.Input[_links[0].Data]);
        return _map.IsUniform || !_map.HasShift || before is not { OpType: "Conv" or "ConvTranspose" or "Gemm" or "MatMul" or "Einsum" }
            ? null
            : new BatchNormOutcome(name, FoldStatus.Declined, string.Empty, verdict.Reason!)
            {
                Operators = operators,
                WouldFoldIf = verdict.Unless ?? string.Empty,
            };
    }

    private Verdict Fold(List<ChainLink> links, ChannelMap map, out string into)
    {
        var plan = new FoldPlan(_graph);
        plan.Leave(links.Select(link => link.Node));
        var verdict = plan.Behind(links[0].Node, links[0].Data, map);
        if (verdict.IsYes) verdict = plan.CheckNumbers();
        into = plan.Into;
        if (!verdict.IsYes) return verdict;
        plan.Apply();
        foreach (var (node, data, _) in links[..^1]) _graph.RemoveKeepingInput(node, data);
        _graph.RemoveKeepingOutput(links[^1].Node, links[^1].Data);
        return verdict;
    }
}

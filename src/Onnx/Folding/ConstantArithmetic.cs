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

    /// <summary>Merges a node into the batch normalization before it.</summary>
    public static bool TryMergeUp(NodeProto node, OnnxGraph graph, FoldLog log)
    {
        if (!graph.Contains(node) || !node.Input.Any(input => graph.Producer(input) is { } maker && maker.Is("BatchNormalization")))
            return false;
        var plan = new FoldPlan(graph);
        if (ConstantArithmetic.Read(node, plan, out var data) is not { } map) return false;
        if (graph.Producer(node.Input[data]) is not { } producer || !producer.Is("BatchNormalization")) return false;
        if (!plan.Behind(node, data, map).IsYes || !plan.CheckNumbers().IsYes) return false;
        plan.Apply();
        graph.RemoveKeepingOutput(node, data);
        log.Merged(node, [producer]);
        return true;
    }

    /// <summary>Merges a node into the batch normalization behind it.</summary>
    public static bool TryMergeDown(NodeProto node, OnnxGraph graph, FoldLog log)
    {
        if (!graph.Contains(node)) return false;
        var uses = graph.Readers(node.Output[0]);
        if (uses.Count == 0 || !uses.All(use => use.Node.Is("BatchNormalization"))) return false;
        var readers = uses.Select(use => use.Node).ToArray();
        var plan = new FoldPlan(graph);
        if (ConstantArithmetic.Read(node, plan, out var data) is not { } map) return false;
        if (!plan.InFront(node.Output[0], map).IsYes || !plan.CheckNumbers().IsYes) return false;
        plan.Apply();
        graph.RemoveKeepingInput(node, data);
        log.Merged(node, readers);
        return true;
    }
}

/// <summary>
/// A chain of Mul, Div, Add, Sub and Neg with constants, behind a layer with weights: how exporters write a batch normalization that is
/// frozen (Keras's Dense, detection networks). With a factor in it the chain is one map, and the weights take it in.
/// </summary>
internal sealed class ChainFold
{
    private readonly OnnxGraph _graph;
    private readonly List<(NodeProto Node, int Data, ChannelMap Map)> _links;

    private readonly FoldLog _log;

    private ChainFold(OnnxGraph graph, FoldLog log, List<(NodeProto Node, int Data, ChannelMap Map)> links) =>
        (_graph, _log, _links) = (graph, log, links);

    /// <summary>The last of its nodes.</summary>
    public NodeProto Last => _links[^1].Node;

    /// <summary>The chains of a graph, each as long as it can be.</summary>
    public static List<ChainFold> FindAll(OnnxGraph graph, FoldLog log)
    {
        var (chains, seen) = (new List<ChainFold>(), new HashSet<NodeProto>(ReferenceEqualityComparer.Instance));
        var plan = new FoldPlan(graph);
        foreach (var node in graph.Nodes)
        {
            if (!ArithmeticFold.IsArithmetic(node) || !seen.Add(node) || Link(node) is not { } first) continue;
            var links = new List<(NodeProto Node, int Data, ChannelMap Map)> { first };
            // Nodes stand in order, so the first of a chain is met first.
            while (!graph.IsOutput(links[^1].Node.Output[0])
                && graph.Readers(links[^1].Node.Output[0]) is [{ IsCapture: false } use]
                && ArithmeticFold.IsArithmetic(use.Node) && Link(use.Node) is { } next && next.Data == use.Input
                && Compose(links[^1].Map, next.Map) is { } together)
            {
                seen.Add(use.Node);
                links.Add(next with { Map = together });
            }

            if (links.Exists(link => link.Node.OpType is "Mul" or "Div" or "Neg")) chains.Add(new ChainFold(graph, log, links));
        }

        return chains;

        (NodeProto Node, int Data, ChannelMap Map)? Link(NodeProto node) =>
            ConstantArithmetic.Read(node, plan, out var data) is { } map && graph.Constant(node.Input[data]).Tensor is null
                ? (node, data, map)
                : null;
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
        var verdict = Fold(_links, out var into);
        // What only adds may stand in the way at the beginning, and takes the rest in itself.
        var start = _links.FindIndex(link => link.Node.OpType is not ("Add" or "Sub"));
        if (!verdict.IsYes && start > 0)
        {
            var plan = new FoldPlan(_graph);
            List<(NodeProto Node, int Data, ChannelMap Map)> rest = [];
            foreach (var (node, data, _) in _links[start..])
            {
                var own = ConstantArithmetic.Read(node, plan, out _)!;
                rest.Add((node, data, rest.Count == 0 ? own : Compose(rest[^1].Map, own)!));
            }

            verdict = Fold(rest, out into);
        }

        if (verdict.IsYes) return new BatchNormOutcome(name, FoldStatus.Folded, into, string.Empty) { Operators = operators };
        // A scale and a shift behind something else (the end of a layer normalization, say) are no batch normalization.
        var (map, before) = (_links[^1].Map, _graph.Producer(_links[0].Node.Input[_links[0].Data]));
        return map.IsUniform || !map.HasShift || before is not { OpType: "Conv" or "ConvTranspose" or "Gemm" or "MatMul" or "Einsum" }
            ? null
            : new BatchNormOutcome(name, FoldStatus.Declined, string.Empty, verdict.Reason!)
            {
                Operators = operators,
                WouldFoldIf = verdict.Unless ?? string.Empty,
            };
    }

    private Verdict Fold(List<(NodeProto Node, int Data, ChannelMap Map)> links, out string into)
    {
        var plan = new FoldPlan(_graph);
        plan.Leave(links.Select(link => link.Node));
        var verdict = plan.Behind(links[0].Node, links[0].Data, links[^1].Map);
        if (verdict.IsYes) verdict = plan.CheckNumbers();
        into = plan.Into;
        if (!verdict.IsYes) return verdict;
        plan.Apply();
        foreach (var (node, data, _) in links[..^1]) _graph.RemoveKeepingInput(node, data);
        _graph.RemoveKeepingOutput(links[^1].Node, links[^1].Data);
        return verdict;
    }

    // First one map, then the other; null where they lie on different axes.
    private static ChannelMap? Compose(ChannelMap first, ChannelMap second)
    {
        if (!first.IsUniform && !second.IsUniform && (first.Axis != second.Axis || first.Count != second.Count)) return null;
        var (axis, count) = first.IsUniform ? (second.Axis, second.Count) : (first.Axis, first.Count);
        var (scale, shift) = (new double[count], new double[count]);
        for (var i = 0; i < count; i++)
            (scale[i], shift[i]) = (first.ScaleAt(i) * second.ScaleAt(i), (first.ShiftAt(i) * second.ScaleAt(i)) + second.ShiftAt(i));
        return new ChannelMap(axis, scale, shift);
    }
}

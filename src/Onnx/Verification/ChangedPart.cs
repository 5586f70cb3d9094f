using System.Runtime.CompilerServices;
using Google.Protobuf.Collections;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// A part of a graph that a fold changed, cut out between values that are the same before and after: whatever stands elsewhere (custom
/// operators, random ones, ones in training mode) has no say in whether both sides of the part are the same function.
/// </summary>
/// <remarks>
/// That the cut is right needs no trust in who folded: every node outside of the parts is what it was, and whatever leaves a part is an
/// output of it.
/// </remarks>
/// <param name="Before">The nodes as they were, in order, and what makes their constants and sizes.</param>
/// <param name="After">The same as they are now.</param>
/// <param name="Changed">Those of <paramref name="Before"/> that are gone or not what they were.</param>
/// <param name="Inputs">Values that go in.</param>
/// <param name="Outputs">Values that come out.</param>
internal sealed record ChangedPart(
    PartSide Before, PartSide After, IReadOnlyList<NodeProto> Changed, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs)
{
    /// <summary>The parts of a model, each as small as it can be.</summary>
    public static IEnumerable<ChangedPart> Of(FoldTrace trace) => trace.Graphs.SelectMany(graph => new PartFinder(graph).Find());

    /// <summary>Whether its constants have so few numbers that several such parts may be computed at once.</summary>
    public bool IsSmall
    {
        get
        {
            const int most = 1 << 16;
            return Before.Numbers + After.Numbers <= most;
        }
    }
}

/// <summary>One side of a part.</summary>
/// <param name="Graph">The graph that it is cut out of, which gives its constants.</param>
/// <param name="Nodes">Its nodes, in order.</param>
internal sealed record PartSide(OnnxGraph Graph, IReadOnlyList<NodeProto> Nodes)
{
    /// <summary>A constant that the side reads; null where a value is none.</summary>
    public TensorProto? Constant(string value) => Graph.Stored(value);

    /// <summary>How many numbers its constants have.</summary>
    public long Numbers
    {
        get
        {
            long numbers = 0;
            foreach (var node in Nodes)
                for (var i = 0; i < node.Input.Count; i++) numbers += NumbersOf(node.Input[i]);
            return numbers;
        }
    }

    /// <summary>How many numbers a constant has; 0 where a value is none.</summary>
    public long NumbersOf(string value) =>
        value.Length > 0 && Constant(value) is { } tensor ? TensorData.ElementCount(tensor.Dims, value) : 0;
}

/// <summary>Finds the parts of one graph.</summary>
internal sealed class PartFinder(TracedGraph graph)
{
    private static readonly IEqualityComparer<NodeProto> ByReference =
        EqualityComparer<NodeProto>.Create(ReferenceEquals, RuntimeHelpers.GetHashCode);

    private readonly HashSet<NodeProto> _touched = new(ByReference);
    private readonly HashSet<string> _inside = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeProto, NodeProto> _parents = new(ByReference);

    public IReadOnlyList<ChangedPart> Find()
    {
        Touch();
        if (_touched.Count == 0) return [];
        Join();
        var (before, after) = (Grouped(graph.Before), Grouped(graph.After));
        var (sources, sourcesAfter) = (new ConstantSources(graph.Before), new ConstantSources(graph.After));
        NodeProto[] roots = [.. before.Keys.Union(after.Keys, ByReference)];
        var parts = new ChangedPart[roots.Length];
        // Whoever cuts only looks.
        SideBySide.Do(roots.Length, i => parts[i] = Cut(
            before.GetValueOrDefault(roots[i], []), after.GetValueOrDefault(roots[i], []), sources, sourcesAfter));
        return parts;
    }

    private static bool IsSame(NodeProto before, NodeProto after) =>
        before.OpType == after.OpType && IsSame(before.Input, after.Input) && IsSame(before.Output, after.Output)
        && before.Attribute.Count == after.Attribute.Count
        // Subgraphs are graphs of their own, with parts of their own.
        && (before.Attribute.Count == 0 || IsSameIn(before, after));

    private static bool IsSame(RepeatedField<string> before, RepeatedField<string> after)
    {
        if (before.Count != after.Count) return false;
        for (var i = 0; i < before.Count; i++)
            if (before[i] != after[i]) return false;
        return true;
    }

    private static bool IsSameIn(NodeProto before, NodeProto after) =>
        before.Attribute.Zip(after.Attribute).All(pair => pair.First.G is not null || pair.First.Graphs.Count > 0
            ? pair.First.Name == pair.Second.Name
            : pair.First.Equals(pair.Second));

    // What is gone, new, or not what it was; and who makes or reads a value that is not what it was.
    private void Touch()
    {
        // What stays keeps its order, so both sides are gone through side by side. A node that did not would count as new: a part that is
        // larger than it need be.
        var (before, copies, next) = (graph.Before.Proto.Node, graph.Copies, 0);
        foreach (var node in graph.After.Nodes)
        {
            while (next < copies.Count && !ReferenceEquals(copies[next], node) && !graph.After.Contains(copies[next]))
                _touched.Add(before[next++]);
            if (next == copies.Count || !ReferenceEquals(copies[next], node)) _touched.Add(node);
            else if (!IsSame(before[next++], node)) Touch(node, before[next - 1]);
        }

        while (next < copies.Count) _touched.Add(before[next++]);
        // Only these make a value on one side that nothing makes on the other: nodes that are the same make the same.
        _inside.UnionWith(graph.After.Changed.Where(value => value.Length > 0));
        foreach (var value in _touched.SelectMany(node => node.Output))
            if (value.Length > 0 && graph.Before.Producer(value) is null != graph.After.Producer(value) is null) _inside.Add(value);
        if (_inside.Count == 0) return;
        for (var i = 0; i < copies.Count; i++)
            if ((HasInside(copies[i].Input) || HasInside(copies[i].Output)) && graph.After.Contains(copies[i])) Touch(copies[i], before[i]);
    }

    private void Touch(NodeProto node, NodeProto origin)
    {
        _touched.Add(node);
        _touched.Add(origin);
        Union(origin, node);
    }

    private bool HasInside(RepeatedField<string> values)
    {
        for (var i = 0; i < values.Count; i++)
            if (_inside.Contains(values[i])) return true;
        return false;
    }

    // A value that is not the same on both sides, or only there on one, holds together who makes it and who reads it.
    private void Join()
    {
        var first = new Dictionary<string, NodeProto>(StringComparer.Ordinal);
        foreach (var node in _touched)
        {
            foreach (var value in node.Input.Concat(node.Output).Where(_inside.Contains))
                if (!first.TryAdd(value, node)) Union(node, first[value]);
        }
    }

    private Dictionary<NodeProto, List<NodeProto>> Grouped(OnnxGraph side) =>
        side.Nodes.Where(_touched.Contains).GroupBy(Root, ByReference)
            .ToDictionary(group => group.Key, group => group.ToList(), ByReference);

    private ChangedPart Cut(List<NodeProto> before, List<NodeProto> after, ConstantSources sources, ConstantSources sourcesAfter)
    {
        var made = before.SelectMany(node => node.Output).ToHashSet(StringComparer.Ordinal);
        var outputs = after.SelectMany(node => node.Output)
            .Where(value => value.Length > 0 && made.Contains(value)
                && (graph.After.IsOutput(value) || (!graph.After.Changed.Contains(value) && graph.After.IsUsed(value))));
        var inputs = new HashSet<string>(StringComparer.Ordinal);
        return new ChangedPart(sources.Add(before, inputs), sourcesAfter.Add(after, inputs), before, [.. inputs], [.. outputs]);
    }

    private NodeProto Root(NodeProto node)
    {
        while (_parents.TryGetValue(node, out var parent))
        {
            if (_parents.TryGetValue(parent, out var further)) _parents[node] = further;
            node = parent;
        }

        return node;
    }

    private void Union(NodeProto one, NodeProto other)
    {
        var (first, second) = (Root(one), Root(other));
        if (!ReferenceEquals(first, second)) _parents[second] = first;
    }
}

/// <summary>What makes the constants and sizes that a part reads: it goes into the part, so that a Reshape gets its true shape.</summary>
internal sealed class ConstantSources(OnnxGraph graph)
{
    // Each run of these gives something else.
    private static readonly HashSet<string> Random = new(StringComparer.Ordinal)
    {
        "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout",
    };

    private readonly Lazy<HashSet<string>> _constants = new(() => Constants(graph));
    private readonly Lazy<Dictionary<NodeProto, (int Graph, int Node)>> _order = new(() => Number(graph));

    /// <summary>Some nodes and what makes their constants, in order.</summary>
    /// <param name="nodes">The nodes.</param>
    /// <param name="inputs">Gets whatever else they read.</param>
    public PartSide Add(List<NodeProto> nodes, HashSet<string> inputs)
    {
        var all = new HashSet<NodeProto>(nodes, ReferenceEqualityComparer.Instance);
        var open = new Stack<string>(nodes.SelectMany(node => node.Input));
        var seen = new HashSet<string>(StringComparer.Ordinal) { string.Empty };
        while (open.TryPop(out var value))
        {
            if (!seen.Add(value) || graph.Stored(value) is not null) continue;
            if (Producer(value) is { } producer)
            {
                if (all.Contains(producer)) continue;
                if (_constants.Value.Contains(value))
                {
                    all.Add(producer);
                    foreach (var input in producer.Input) open.Push(input);
                    continue;
                }
            }

            inputs.Add(value);
        }

        return new PartSide(graph, all.Count == nodes.Count ? nodes : [.. all.OrderBy(node => _order.Value[node])]);
    }

    private static Dictionary<NodeProto, (int Graph, int Node)> Number(OnnxGraph graph)
    {
        var order = new Dictionary<NodeProto, (int, int)>(ReferenceEqualityComparer.Instance);
        for (var (outer, depth) = (graph, 0); outer is not null; (outer, depth) = (outer.Outer, depth - 1))
        {
            var number = 0;
            foreach (var node in outer.Nodes) order.Add(node, (depth, number++));
        }

        return order;
    }

    private NodeProto? Producer(string value) => graph.Home(value)?.Producer(value);

    // What is made of constants and sizes alone. Nodes stand in order, so one look at each will do.
    private static HashSet<string> Constants(OnnxGraph graph)
    {
        var constants = graph.Outer is null ? new HashSet<string>(StringComparer.Ordinal) : Constants(graph.Outer);
        foreach (var node in graph.Nodes)
        {
            if (!IsConstant(node, graph, constants)) continue;
            for (var i = 0; i < node.Output.Count; i++) constants.Add(node.Output[i]);
        }

        return constants;
    }

    private static bool IsConstant(NodeProto node, OnnxGraph graph, HashSet<string> constants)
    {
        // Of most nodes the first operand is none, and nothing else need be asked.
        for (var i = 0; i < node.Input.Count && !node.Is("Shape") && !node.Is("Size"); i++)
            if (node.Input[i].Length > 0 && !constants.Contains(node.Input[i]) && graph.Stored(node.Input[i]) is null) return false;
        return node.IsStandard() && !Random.Contains(node.OpType) && !node.Subgraphs().Any();
    }
}

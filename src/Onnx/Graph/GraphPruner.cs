using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Takes out of a model what its outputs do not need: nodes, constants, and inputs that nobody reads.</summary>
internal static class GraphPruner
{
    /// <summary>Keeps some of a model's outputs, and what they need.</summary>
    /// <param name="model">The model, which is changed.</param>
    /// <param name="outputs">The names of the outputs to keep; null = all.</param>
    public static void Prune(ModelProto model, IReadOnlyCollection<string>? outputs = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var graph = model.Graph;
        if (outputs is not null) Keep(graph.Output, output => outputs.Contains(output.Name));
        var needed = graph.Output.Select(output => output.Name).ToHashSet(StringComparer.Ordinal);
        // Nodes stand in topological order, so one pass from the end meets every reader before its makers.
        var nodes = new List<NodeProto>();
        foreach (var node in graph.Node.Reverse())
        {
            if (!node.Output.Any(needed.Contains)) continue;
            nodes.Add(node);
            AddReads(node, needed);
        }

        nodes.Reverse();
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        Keep(graph.Initializer, tensor => needed.Contains(tensor.Name));
        Keep(graph.Input, input => needed.Contains(input.Name));
        Keep(graph.ValueInfo, info => needed.Contains(info.Name));
    }

    // Names of a subgraph's own values are taken along: they can do no more than keep something that is not needed.
    private static void AddReads(NodeProto node, HashSet<string> needed)
    {
        needed.UnionWith(node.Input);
        foreach (var inner in node.Subgraphs())
        {
            needed.UnionWith(inner.Output.Select(output => output.Name));
            foreach (var innerNode in inner.Node) AddReads(innerNode, needed);
        }
    }

    private static void Keep<T>(Google.Protobuf.Collections.RepeatedField<T> list, Func<T, bool> isKept)
    {
        T[] kept = [.. list.Where(isKept)];
        list.Clear();
        list.AddRange(kept);
    }
}

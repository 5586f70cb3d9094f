using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Explains why a node reads a value that does not exist yet: nobody makes it, a later node makes it, or the nodes form a cycle.</summary>
internal static class NodeOrder
{
    /// <summary>The error for <paramref name="reader"/>, which reads <paramref name="value"/> before it exists.</summary>
    public static InvalidModelException Explain(OnnxGraph graph, NodeProto reader, string value)
    {
        if (graph.Producer(value) is not { } maker)
            return new InvalidModelException($"{reader.Describe()} reads '{value}', but no node, input or initializer has that name.");
        if (ReferenceEquals(maker, reader))
            return new InvalidModelException($"{reader.Describe()} reads its own output '{value}': a cycle.");
        var path = Path(graph, maker, reader);
        return path is null
            ? new InvalidModelException($"{reader.Describe()} reads '{value}', which {maker.Describe()} makes only later in the file; nodes must stand in topological order.")
            : new InvalidModelException($"The graph has a cycle: {string.Join(" ← ", path.Prepend(reader).Select(node => node.Describe()))}.");
    }

    // Breadth first from the maker up through what it reads; reaching the reader closes the circle.
    private static List<NodeProto>? Path(OnnxGraph graph, NodeProto from, NodeProto to)
    {
        var cameFrom = new Dictionary<NodeProto, NodeProto?>(ReferenceEqualityComparer.Instance) { [from] = null };
        var queue = new Queue<NodeProto>([from]);
        while (queue.TryDequeue(out var node))
        {
            if (ReferenceEquals(node, to))
            {
                var path = new List<NodeProto>();
                for (var step = node; step is not null; step = cameFrom[step]) path.Insert(0, step);
                return path;
            }

            foreach (var input in node.Input)
            {
                if (graph.Producer(input) is { } maker && cameFrom.TryAdd(maker, node)) queue.Enqueue(maker);
            }
        }

        return null;
    }
}

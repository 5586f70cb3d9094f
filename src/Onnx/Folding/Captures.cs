using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Which outer values the subgraphs of a node read (the branches of If, the bodies of Loop and Scan).</summary>
internal static class Captures
{
    /// <summary>The names, each once.</summary>
    public static IReadOnlyCollection<string> Of(NodeProto node)
    {
        var captured = new HashSet<string>(StringComparer.Ordinal);
        foreach (var graph in node.Subgraphs()) Collect(graph, captured);
        return captured;
    }

    private static void Collect(GraphProto graph, HashSet<string> captured)
    {
        var own = new HashSet<string>(StringComparer.Ordinal);
        own.UnionWith(graph.Input.Select(input => input.Name));
        own.UnionWith(graph.Initializer.Select(tensor => tensor.Name));
        foreach (var node in graph.Node) own.UnionWith(node.Output);
        var read = new HashSet<string>(graph.Output.Select(output => output.Name), StringComparer.Ordinal);
        foreach (var node in graph.Node)
        {
            read.UnionWith(node.Input);
            read.UnionWith(Of(node));
        }

        read.ExceptWith(own);
        read.Remove(string.Empty);
        captured.UnionWith(read);
    }
}

using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Reads what a node says about itself: its attributes with their defaults, its inputs, its subgraphs, and how to call it in a message.
/// </summary>
internal static class NodeAttributes
{
    /// <summary>An attribute, or null when the node does not give it.</summary>
    public static AttributeProto? Attribute(this NodeProto node, string name)
    {
        foreach (var attribute in node.Attribute)
        {
            if (attribute.Name == name) return attribute;
        }

        return null;
    }

    /// <summary>An integer attribute, or its default.</summary>
    public static long Integer(this NodeProto node, string name, long otherwise) => node.Attribute(name)?.I ?? otherwise;

    /// <summary>A float attribute, or its default.</summary>
    public static float Real(this NodeProto node, string name, float otherwise) => node.Attribute(name)?.F ?? otherwise;

    /// <summary>A string attribute, or its default.</summary>
    public static string Text(this NodeProto node, string name, string otherwise) => node.Attribute(name)?.S.ToStringUtf8() ?? otherwise;

    /// <summary>A list of integers, or null when the node does not give it.</summary>
    public static IReadOnlyList<long>? Integers(this NodeProto node, string name) => node.Attribute(name)?.Ints;

    /// <summary>The name of an input, or an empty string when the node does not give it.</summary>
    public static string InputAt(this NodeProto node, int index) => index < node.Input.Count ? node.Input[index] : string.Empty;

    /// <summary>Whether the operator is one of ONNX's own (the default domain), rather than of a custom domain.</summary>
    public static bool IsStandard(this NodeProto node) => node.Domain is "" or "ai.onnx";

    /// <summary>Whether the node is a given operator of the default domain.</summary>
    public static bool Is(this NodeProto node, string opType) => node.OpType == opType && node.IsStandard();

    /// <summary>The subgraphs of a node: the branches of If, the bodies of Loop and Scan.</summary>
    public static IEnumerable<GraphProto> Subgraphs(this NodeProto node) => node.Attribute.Count == 0 ? [] : InAttributes(node);

    /// <summary>A node's name for messages: its own name, or that of its first output.</summary>
    public static string Label(this NodeProto node) =>
        node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault(output => output.Length > 0) ?? "(unnamed)";

    /// <summary>A node for messages: operator and name.</summary>
    public static string Describe(this NodeProto node) => $"{node.OpType} '{node.Label()}'";

    private static IEnumerable<GraphProto> InAttributes(NodeProto node)
    {
        foreach (var attribute in node.Attribute)
        {
            if (attribute.G is not null) yield return attribute.G;
            foreach (var graph in attribute.Graphs) yield return graph;
        }
    }
}

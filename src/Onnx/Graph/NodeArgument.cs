using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;
using AttributeType = MlNetBatchNorm.Onnx.Proto.AttributeProto.Types.AttributeType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// A named, typed argument of a node. Tuples convert to it, so a call reads <c>graph.Node("Concat", [a, b], ("axis", 1))</c>.
/// </summary>
internal readonly record struct NodeArgument
{
    private NodeArgument(AttributeProto proto) => Proto = proto;

    /// <summary>The attribute as it is written to the file.</summary>
    public AttributeProto Proto { get; }

    /// <summary>An integer attribute.</summary>
    public static implicit operator NodeArgument((string Name, long Value) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Int, I = pair.Value });

    /// <summary>A float attribute.</summary>
    public static implicit operator NodeArgument((string Name, float Value) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Float, F = pair.Value });

    /// <summary>A string attribute (UTF-8).</summary>
    public static implicit operator NodeArgument((string Name, string Value) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.String, S = ByteString.CopyFromUtf8(pair.Value) });

    /// <summary>A list of integers.</summary>
    public static implicit operator NodeArgument((string Name, long[] Values) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Ints, Ints = { pair.Values } });

    /// <summary>A list of floats.</summary>
    public static implicit operator NodeArgument((string Name, float[] Values) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Floats, Floats = { pair.Values } });

    /// <summary>A tensor attribute.</summary>
    public static implicit operator NodeArgument((string Name, TensorProto Value) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Tensor, T = pair.Value });

    /// <summary>A subgraph attribute (the branches of If, the body of Loop and Scan).</summary>
    public static implicit operator NodeArgument((string Name, GraphProto Value) pair) =>
        new(new AttributeProto { Name = pair.Name, Type = AttributeType.Graph, G = pair.Value });
}

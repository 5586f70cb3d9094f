using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>What is known about the values of one graph: which are constants, and which shape they have. Subgraphs see the outer ones.</summary>
internal sealed class GraphScope
{
    private readonly Dictionary<string, TensorShape> _shapes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dimension[]> _contents = new(StringComparer.Ordinal);

    public GraphScope(GraphProto graph, GraphScope? parent, long opset)
    {
        Graph = graph;
        Parent = parent;
        Opset = opset;
        foreach (var tensor in graph.Initializer) Initializers.TryAdd(tensor.Name, tensor);
    }

    public GraphProto Graph { get; }

    public GraphScope? Parent { get; }

    /// <summary>The version of the default operator set that the nodes are written for.</summary>
    public long Opset { get; }

    public Dictionary<string, TensorProto> Initializers { get; } = new(StringComparer.Ordinal);

    public TensorShape? Shape(string name) =>
        name.Length == 0 ? null : _shapes.TryGetValue(name, out var shape) ? shape : Parent?.Shape(name);

    public void SetShape(string name, TensorShape? shape)
    {
        if (shape is not null && name.Length > 0) _shapes[name] = shape;
    }

    /// <summary>The elements of a small integer tensor (axes, shapes), as far as they are known: sizes, symbols or unknown ones.</summary>
    public Dimension[]? Contents(string name)
    {
        if (name.Length == 0) return null;
        if (_contents.TryGetValue(name, out var known)) return known;
        return Initializers.TryGetValue(name, out var tensor) ? Integers(tensor) : Parent?.Contents(name);
    }

    public void SetContents(string name, Dimension[]? elements)
    {
        if (elements is not null) _contents[name] = elements;
    }

    /// <summary>The elements of a small integer tensor when every one of them is a number.</summary>
    public long[]? Numbers(string name)
    {
        var contents = Contents(name);
        return contents is not null && contents.All(element => element.Size is not null)
            ? [.. contents.Select(element => element.Size!.Value)]
            : null;
    }

    /// <summary>The elements of an integer constant of at most one dimension; null for any other tensor.</summary>
    public static Dimension[]? Integers(TensorProto tensor)
    {
        // Shapes and axes are short; a long vector is data.
        const int longest = 64;
        if (tensor.Dims.Count > 1 || tensor.DataLocation == TensorProto.Types.DataLocation.External) return null;
        var raw = tensor.RawData.Span;
        var wide = tensor.DataType == (int)DataType.Int64;
        if (!wide && tensor.DataType != (int)DataType.Int32) return null;
        var size = wide ? 8 : 4;
        var count = raw.Length > 0 ? raw.Length / size : wide ? tensor.Int64Data.Count : tensor.Int32Data.Count;
        if (count > longest || (tensor.Dims.Count == 1 && tensor.Dims[0] != count) || (tensor.Dims.Count == 0 && count != 1)) return null;
        var result = new Dimension[count];
        for (var i = 0; i < count; i++)
        {
            result[i] = (wide, raw.Length > 0) switch
            {
                (true, true) => System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(raw[(8 * i)..]),
                (true, false) => tensor.Int64Data[i],
                (false, true) => System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(raw[(4 * i)..]),
                (false, false) => tensor.Int32Data[i],
            };
        }

        return result;
    }
}

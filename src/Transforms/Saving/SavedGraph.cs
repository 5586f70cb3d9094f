using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>Changes a network's graph so that its outputs are what ML.NET can make columns of, and back.</summary>
internal static class SavedGraph
{
    /// <summary>Renames a value wherever it occurs.</summary>
    public static void Rename(GraphProto graph, string from, string to) => ValueNames.Rename(graph, new Dictionary<string, string> { [from] = to });

    /// <summary>Adds a node with one output, which has its name.</summary>
    public static void AddNode(GraphProto graph, string opType, string[] inputs, string output, params ReadOnlySpan<(string Name, long Value)> attributes)
    {
        var node = new NodeProto { OpType = opType, Name = output, Input = { inputs }, Output = { output } };
        foreach (var (name, value) in attributes)
            node.Attribute.Add(new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value });
        graph.Node.Add(node);
    }

    /// <summary>Adds a constant list of integers.</summary>
    public static void AddIntegers(GraphProto graph, string name, params ReadOnlySpan<long> values) =>
        graph.Initializer.Add(TensorData.Create(name, values, values.Length));

    /// <summary>Adds a constant list of texts.</summary>
    public static void AddTexts(GraphProto graph, string name, IReadOnlyList<string> texts) => graph.Initializer.Add(new TensorProto
    {
        Name = name,
        DataType = (int)DataType.String,
        Dims = { texts.Count },
        StringData = { texts.Select(ByteString.CopyFromUtf8) },
    });

    /// <summary>
    /// Adds a node whose only use is its name and its list of texts: ML.NET takes them for the names of a column's slots (its own converter
    /// keeps them the same way).
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="column">The column, that is to say the output.</param>
    /// <param name="texts">A value of type text for the node to read.</param>
    /// <param name="output">The name of the node's output, which nobody reads.</param>
    /// <param name="names">The names of the slots.</param>
    public static void AddSlotNames(ModelProto model, string column, string texts, string output, IReadOnlyList<string> names)
    {
        const string Domain = "ai.onnx.ml";
        if (model.OpsetImport.All(set => set.Domain != Domain)) model.OpsetImport.Add(new OperatorSetIdProto { Domain = Domain, Version = 2 });
        model.Graph.Node.Add(new NodeProto
        {
            OpType = "LabelEncoder",
            Domain = Domain,
            Name = $"mlnet.{column}.SlotNames",
            Input = { texts },
            Output = { output },
            Attribute =
            {
                new AttributeProto { Name = "keys_strings", Type = AttributeProto.Types.AttributeType.Strings, Strings = { names.Select(ByteString.CopyFromUtf8) } },
                new AttributeProto { Name = "values_int64s", Type = AttributeProto.Types.AttributeType.Ints, Ints = { Enumerable.Range(0, names.Count).Select(index => (long)index) } },
            },
        });
    }

    /// <summary>Makes a value an output.</summary>
    public static void AddOutput(GraphProto graph, string name, DataType type, params ReadOnlySpan<Dimension> shape)
    {
        var sizes = new TensorShapeProto();
        foreach (var dimension in shape) sizes.Dim.Add(dimension.ToProto());
        graph.Output.Add(new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = sizes } },
        });
    }

    /// <summary>Takes nodes that were added away again: those that give one of the values; also constants and outputs of these names.</summary>
    public static void Remove(GraphProto graph, params ReadOnlySpan<string> names)
    {
        var added = new HashSet<string>([.. names], StringComparer.Ordinal);
        Keep(graph.Node, node => !node.Output.Any(added.Contains));
        Keep(graph.Initializer, tensor => !added.Contains(tensor.Name));
        Keep(graph.Output, output => !added.Contains(output.Name));
    }

    private static void Keep<T>(Google.Protobuf.Collections.RepeatedField<T> items, Func<T, bool> isKept)
    {
        T[] kept = [.. items.Where(isKept)];
        items.Clear();
        items.AddRange(kept);
    }
}

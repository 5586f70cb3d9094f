using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Saving;

/// <summary>Changes a network's graph so that its outputs are what ML.NET can make columns of, and back.</summary>
internal static class SavedGraph
{
    /// <summary>Renames a value wherever it occurs.</summary>
    public static void Rename(GraphProto graph, string from, string to) =>
        ValueNames.Rename(graph, new Dictionary<string, string> { [from] = to });

    /// <summary>Adds a node with one output, which has its name.</summary>
    public static void AddNode(
        GraphProto graph, string opType, string[] inputs, string output, params ReadOnlySpan<(string Name, long Value)> attributes)
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
    /// Names the slots of an output. ML.NET takes the names from a node that is called <c>mlnet.COLUMN.SlotNames</c>, which its own
    /// converter writes, too: a LabelEncoder that encodes them, and whose output nobody asks for.
    /// </summary>
    public static void AddSlotNames(ModelProto model, string column, IReadOnlyList<string> names)
    {
        const string Domain = "ai.onnx.ml";
        var (name, unused) = ($"mlnet.{column}.SlotNames", UnusedInput(column));
        if (model.OpsetImport.All(opset => opset.Domain != Domain))
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = Domain, Version = 2 });
        AddTexts(model.Graph, unused, ["one"]);
        model.Graph.Node.Add(new NodeProto
        {
            OpType = "LabelEncoder",
            Domain = Domain,
            Name = name,
            Input = { unused },
            Output = { UnusedOutput(column) },
            Attribute =
            {
                new AttributeProto
                {
                    Name = "keys_strings",
                    Type = AttributeProto.Types.AttributeType.Strings,
                    Strings = { names.Select(ByteString.CopyFromUtf8) },
                },
                new AttributeProto
                {
                    Name = "values_int64s",
                    Type = AttributeProto.Types.AttributeType.Ints,
                    Ints = { Enumerable.Range(0, names.Count).Select(index => (long)index) },
                },
            },
        });
    }

    /// <summary>Takes the names of slots away again.</summary>
    public static void RemoveSlotNames(GraphProto graph, string column) => Remove(graph, UnusedInput(column), UnusedOutput(column));

    /// <summary>
    /// The model with its half-precision constants as nodes, the same one where it has none: of a model's initializers ML.NET takes no type
    /// that it has no column for.
    /// </summary>
    public static ModelProto WithoutHalfInitializers(ModelProto model)
    {
        var inputs = model.Graph.Input.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        if (!model.Graph.Initializer.Any(IsHalf)) return model;
        var result = model.Clone();
        foreach (var tensor in result.Graph.Initializer.Where(IsHalf).ToList())
        {
            result.Graph.Initializer.Remove(tensor);
            result.Graph.Node.Insert(0, new NodeProto
            {
                OpType = "Constant",
                Name = tensor.Name,
                Output = { tensor.Name },
                Attribute = { new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor } },
            });
        }

        return result;

        bool IsHalf(TensorProto tensor) =>
            (DataType)tensor.DataType is DataType.Float16 or DataType.Bfloat16 && !inputs.Contains(tensor.Name);
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

    /// <summary>
    /// Takes nodes that were added away again: those that give one of the values; also constants and outputs of these names.
    /// </summary>
    public static void Remove(GraphProto graph, params ReadOnlySpan<string> names)
    {
        var added = new HashSet<string>([.. names], StringComparer.Ordinal);
        Keep(graph.Node, node => !node.Output.Any(added.Contains));
        Keep(graph.Initializer, tensor => !added.Contains(tensor.Name));
        Keep(graph.Output, output => !added.Contains(output.Name));
    }

    private static string UnusedInput(string column) => $"mlnet.{column}.unusedInput";

    private static string UnusedOutput(string column) => $"mlnet.{column}.unusedOutput";

    private static void Keep<T>(Google.Protobuf.Collections.RepeatedField<T> items, Func<T, bool> isKept)
    {
        T[] kept = [.. items.Where(isKept)];
        items.Clear();
        items.AddRange(kept);
    }
}

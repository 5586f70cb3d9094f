using Google.Protobuf;
using MlNetBatchNorm.Onnx;
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
        foreach (NodeArgument attribute in attributes) node.Attribute.Add(attribute.Proto);
        Add(graph, output, main => main.Add(node));
    }

    /// <summary>Adds a constant list of integers.</summary>
    public static void AddIntegers(GraphProto graph, string name, params ReadOnlySpan<long> values) =>
        AddConstant(graph, TensorData.Create(name, values, values.Length));

    /// <summary>Adds a constant list of texts.</summary>
    public static void AddTexts(GraphProto graph, string name, IReadOnlyList<string> texts) =>
        AddConstant(graph, TensorData.FromArray(name, DataType.String, texts.ToArray(), texts.Count));

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
        Add(model.Graph, UnusedOutput(column), main => main.Add(new NodeProto
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
        }));
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
        var editor = ModelEditor.Of(result.Graph);
        foreach (var tensor in result.Graph.Initializer.Where(IsHalf).ToList())
        {
            editor.Main.Drop(tensor.Name);
            editor.Main.AddBehind(null, new NodeProto
            {
                OpType = "Constant",
                Name = tensor.Name,
                Output = { tensor.Name },
                Attribute = { ((NodeArgument)("value", tensor)).Proto },
            });
        }

        editor.Write();
        return result;

        bool IsHalf(TensorProto tensor) =>
            (DataType)tensor.DataType is DataType.Float16 or DataType.Bfloat16 && !inputs.Contains(tensor.Name);
    }

    /// <summary>Makes a value an output.</summary>
    public static void AddOutput(GraphProto graph, string name, DataType type, params ReadOnlySpan<TensorDimension> shape) =>
        ModelEditor.Of(graph).Main.AddOutput(ValueInfo.Of(name, type, shape));

    /// <summary>
    /// Takes nodes that were added away again: those that give one of the values; also constants and outputs of these names.
    /// </summary>
    public static void Remove(GraphProto graph, params ReadOnlySpan<string> names)
    {
        var (added, editor) = (new HashSet<string>([.. names], StringComparer.Ordinal), ModelEditor.Of(graph));
        editor.Main.KeepOutputs(output => !added.Contains(output));
        foreach (var node in editor.Main.Nodes.Where(node => node.Output.Any(added.Contains)).ToList()) editor.Main.Remove(node);
        foreach (var name in added) editor.Main.Drop(name);
        // What they read stays: it is what the model gave before.
        editor.Write();
    }

    private static string UnusedInput(string column) => $"mlnet.{column}.unusedInput";

    private static string UnusedOutput(string column) => $"mlnet.{column}.unusedOutput";

    private static void AddConstant(GraphProto graph, TensorProto tensor) => Add(graph, tensor.Name, main => main.AddConstant(tensor));

    // The names are known outside of the model: whatever else has one gives way.
    private static void Add(GraphProto graph, string name, Action<OnnxGraph> add)
    {
        ValueNames.Vacate(graph, name);
        var editor = ModelEditor.Of(graph);
        add(editor.Main);
        editor.Write();
    }
}

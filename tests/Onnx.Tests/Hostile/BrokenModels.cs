using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using MlNetBatchNorm.Tests.Referees;
using AttributeType = MlNetBatchNorm.Onnx.Proto.AttributeProto.Types.AttributeType;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Hostile;

/// <summary>
/// Models that are broken in ways that know what a model is: operators, operands, attributes, shapes, constants, subgraphs, functions.
/// </summary>
internal static class BrokenModels
{
    private static readonly long[] Numbers =
    [
        0, 1, 2, 3, 4, 5, 7, -1, -2, -3, 64, 65, -65, 1 << 16, int.MaxValue, int.MinValue, 1L << 32, (1L << 32) + 1, 1L << 40, 1L << 62,
        long.MaxValue, long.MinValue,
    ];

    private static readonly float[] Reals = [0, 1, -1, 1e-5f, 1e30f, float.MaxValue, float.NaN, float.PositiveInfinity, -0f, float.Epsilon];

    private static readonly string[] Operators =
    [
        .. ShapeRules.ByOperator.Keys, "ReduceLogSum", "GroupNormalization", "If", "Loop", "Scan", "QuantizeLinear", "DequantizeLinear",
        "Frob", "Size", "LSTM", "TopK", "Range", "NonZero", "EyeLike", "RandomNormal",
    ];

    private static readonly string[] AttributeNames =
    [
        "axis", "axes", "perm", "group", "pads", "strides", "dilations", "kernel_shape", "split", "to", "blocksize", "epsilon", "alpha",
        "beta", "equation", "mode", "keepdims", "starts", "ends", "steps", "value", "value_float", "value_floats", "value_int",
        "value_ints",
        "auto_pad", "ceil_mode", "count_include_pad", "transA", "transB", "spatial", "training_mode", "is_test", "broadcast", "shape",
        "scales", "output_shape", "output_padding", "num_outputs", "noop_with_empty_axes", "allowzero", "min", "max", "start", "end",
        "keep_aspect_ratio_policy", "coordinate_transformation_mode",
    ];

    private static readonly string[] Texts =
    [
        "", "ij,jk->ik", "...i,ij->...j", "ii->i", "a->", "->", "SAME_UPPER", "SAME_LOWER", "VALID", "edge", "reflect", "CRD", "linear",
        "stretch", "not_larger", "\u001b[2J", "tf_crop_and_resize",
    ];

    private static readonly ModelProto[] Whole = [.. Enumerable.Range(0, 600).Select(Sound)];

    /// <summary>Makes the bytes of a model.</summary>
    public static byte[] Create(Random random)
    {
        var model = Pick(Whole, random).Clone();
        foreach (var value in model.Graph.Input.Concat(model.Graph.Output))
            if (random.Next(30) == 0) Shape(value, random);
        for (var change = random.Next(1, random.Next(2, 6)); change > 0; change--) Break(model, random);
        var bytes = model.ToByteArray();
        return random.Next(10) == 0 ? HostileInputs.Mutated(bytes, random) : bytes;
    }

    private static ModelProto Sound(int seed)
    {
        var random = new Random(seed);
        return RandomGraph.From(
            Enumerable.Range(0, random.Next(2, 14)).Select(_ => random.Next(1 << 24)),
            random.Next(8) switch { 0 => DataType.Double, 1 => DataType.Float16, _ => DataType.Float });
    }

    private static void Break(ModelProto model, Random random)
    {
        var graph = model.Graph;
        if (graph.Node.Count == 0) return;
        var node = Pick(graph.Node, random);
        switch (random.Next(26))
        {
            case 0: node.OpType = Pick(Operators, random); break;
            case 1 when node.Input.Count > 0: node.Input[random.Next(node.Input.Count)] = Name(graph, random); break;
            case 2 when node.Input.Count > 0: node.Input.RemoveAt(random.Next(node.Input.Count)); break;
            case 3: node.Input.Add(Name(graph, random)); break;
            case 4 when node.Output.Count > 0: node.Output.RemoveAt(random.Next(node.Output.Count)); break;
            case 5: node.Output.Add(random.Next(2) == 0 ? "extra" : Name(graph, random)); break;
            case 6 or 7: node.Attribute.Add(Attribute(random)); break;
            case 8 when node.Attribute.Count > 0: Change(Pick(node.Attribute, random), random); break;
            case 9 when node.Attribute.Count > 0: node.Attribute.RemoveAt(random.Next(node.Attribute.Count)); break;
            case 10 or 11 when graph.Initializer.Count > 0: Break(Pick(graph.Initializer, random), random); break;
            case 12: Shape(Pick([.. graph.Input, .. graph.Output], random), random); break;
            case 13:
                var declared = new ValueInfoProto { Name = Name(graph, random) };
                Shape(declared, random);
                graph.ValueInfo.Add(declared);
                break;
            case 14: model.OpsetImport[0].Version = random.Next(1, 26); break;
            case 15: model.IrVersion = random.Next(1, 12); break;
            case 16: graph.Node.Add(node.Clone()); break;
            case 17: graph.Node.RemoveAt(random.Next(graph.Node.Count)); break;
            case 18 when graph.Initializer.Count > 0: ComputedConstant(graph, Pick(graph.Initializer, random), random); break;
            case 19: graph.Output.Add(new ValueInfoProto { Name = Name(graph, random) }); break;
            case 20: Nest(graph, node); break;
            case 21: Function(model, node); break;
            case 22: node.Domain = random.Next(2) == 0 ? "vendor" : "ai.onnx"; break;
            case 23: Constant(graph, random); break;
            case 24: graph.SparseInitializer.Add(new SparseTensorProto { Dims = { 4 } }); break;
            case 25: graph.Input.Add(new ValueInfoProto { Name = Name(graph, random), Type = Type(random) }); break;
            default: (graph.Node[0], graph.Node[^1]) = (graph.Node[^1].Clone(), graph.Node[0].Clone()); break;
        }
    }

    private static T Pick<T>(IReadOnlyList<T> list, Random random) => list[random.Next(list.Count)];

    private static long Number(Random random) => random.Next(3) == 0 ? Pick(Numbers, random) : random.Next(-2, 7);

    private static string Name(GraphProto graph, Random random) => random.Next(4) switch
    {
        0 when graph.Initializer.Count > 0 => Pick(graph.Initializer, random).Name,
        1 => Pick(graph.Input, random).Name,
        2 when random.Next(4) == 0 => string.Empty,
        _ => Pick(graph.Node, random) is { Output: { Count: > 0 } made } ? made[0] : string.Empty,
    };

    private static TypeProto Type(Random random)
    {
        var shape = new TensorShapeProto();
        for (var axis = random.Next(6); axis > 0; axis--)
        {
            shape.Dim.Add(random.Next(4) == 0
                ? new TensorShapeProto.Types.Dimension { DimParam = "N" }
                : new TensorShapeProto.Types.Dimension { DimValue = Number(random) });
        }

        return new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = random.Next(0, 24), Shape = shape } };
    }

    private static void Shape(ValueInfoProto value, Random random)
    {
        value.Type = random.Next(5) == 0 ? null : Type(random);
        if (value.Type is not null && random.Next(4) != 0) value.Type.TensorType.ElemType = 1;
        if (value.Type is not null && random.Next(4) == 0) value.Type.TensorType.Shape = null;
    }

    private static AttributeProto Attribute(Random random)
    {
        var attribute = new AttributeProto { Name = Pick(AttributeNames, random) };
        Change(attribute, random);
        return attribute;
    }

    private static void Change(AttributeProto attribute, Random random)
    {
        if (random.Next(3) > 0)
        {
            attribute.Type = attribute.Name is "axes" or "perm" or "pads" or "strides" or "dilations" or "kernel_shape" or "split"
                or "starts" or "ends" or "steps" or "value_ints" or "shape" or "output_shape" or "output_padding"
                ? AttributeType.Ints
                : AttributeType.Int;
        }
        else
        {
            attribute.Type = (AttributeType)random.Next(0, 13);
        }

        switch (attribute.Type)
        {
            case AttributeType.Int: attribute.I = Number(random); break;
            case AttributeType.Ints:
                attribute.Ints.Clear();
                for (var i = random.Next(7); i > 0; i--) attribute.Ints.Add(Number(random));
                break;
            case AttributeType.Float: attribute.F = Pick(Reals, random); break;
            case AttributeType.Floats:
                for (var i = random.Next(5); i > 0; i--) attribute.Floats.Add(Pick(Reals, random));
                break;
            case AttributeType.String: attribute.S = ByteString.CopyFromUtf8(Pick(Texts, random)); break;
            case AttributeType.Tensor:
                attribute.T = TensorData.Create("t", [1f, 2, 3, 4], 4);
                Break(attribute.T, random);
                break;
            case AttributeType.Graph: attribute.G = new GraphProto { Name = "empty" }; break;
            default: attribute.RefAttrName = "reference"; break;
        }
    }

    public static void Break(TensorProto tensor, Random random)
    {
        switch (random.Next(11))
        {
            case 0: tensor.DataType = random.Next(0, 26); break;
            case 1: tensor.Dims.Add(Number(random)); break;
            case 2 when tensor.Dims.Count > 0: tensor.Dims[random.Next(tensor.Dims.Count)] = Number(random); break;
            case 3 when tensor.Dims.Count > 0: tensor.Dims.RemoveAt(random.Next(tensor.Dims.Count)); break;
            case 4:
                var count = tensor.RawData.Length / 4;
                tensor.ClearRawData();
                for (var i = 0; i < count; i++)
                {
                    if (random.Next(8) > 0) tensor.FloatData.Add(Pick(Reals, random));
                    else tensor.Int32Data.Add(i);
                }

                break;
            case 5: tensor.RawData = ByteString.CopyFrom(new byte[random.Next(64)]); break;
            case 6 when tensor.RawData.Length > 0:
                var bytes = tensor.RawData.ToByteArray();
                BitConverter.TryWriteBytes(bytes.AsSpan(random.Next(bytes.Length)), Pick(Reals, random));
                tensor.RawData = ByteString.CopyFrom(bytes);
                break;
            case 7: tensor.Name = random.Next(2) == 0 ? string.Empty : "x"; break;
            case 8:
                tensor.DataLocation = TensorProto.Types.DataLocation.External;
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = "nowhere" });
                break;
            case 9:
                // Empty, but for its shape.
                tensor.ClearRawData();
                tensor.Dims.Clear();
                tensor.Dims.AddRange([0, Number(random)]);
                break;
            default:
                // As many elements in another shape.
                var product = tensor.Dims.Aggregate(1L, (all, size) => unchecked(all * size));
                tensor.Dims.Clear();
                tensor.Dims.AddRange(random.Next(2) == 0 ? [product] : [1, product, 1]);
                break;
        }
    }

    // A weight that nodes make: what the fold must work out, or leave alone.
    private static void ComputedConstant(GraphProto graph, TensorProto tensor, Random random)
    {
        var made = tensor.Name;
        tensor.Name = $"{made}_given";
        var node = new NodeProto { OpType = Pick(Operators, random), Input = { tensor.Name }, Output = { made } };
        for (var i = random.Next(3); i > 0; i--) node.Attribute.Add(Attribute(random));
        for (var i = random.Next(3); i > 0; i--) node.Input.Add(random.Next(3) == 0 ? tensor.Name : Pick(graph.Initializer, random).Name);
        graph.Node.Insert(0, node);
    }

    private static void Constant(GraphProto graph, Random random)
    {
        var name = $"constant{graph.Node.Count}";
        var integers = Enumerable.Range(0, random.Next(6)).Select(_ => Number(random)).ToArray();
        var tensor = TensorData.Create(name, integers, integers.Length);
        if (random.Next(2) == 0)
        {
            graph.Initializer.Add(tensor);
        }
        else
        {
            var node = new NodeProto { OpType = "Constant", Output = { name } };
            node.Attribute.Add(((NodeArgument)("value", tensor)).Proto);
            graph.Node.Insert(0, node);
        }

        var filled = $"{name}_filled";
        if (random.Next(2) == 0)
            graph.Node.Insert(
                Math.Min(1, graph.Node.Count), new NodeProto { OpType = "ConstantOfShape", Input = { name }, Output = { filled } });
        var reader = Pick(graph.Node, random);
        var given = random.Next(2) == 0 ? name : filled;
        if (reader.Input.Count > 1) reader.Input[random.Next(reader.Input.Count)] = given;
        else reader.Input.Add(given);
    }

    private static void Nest(GraphProto graph, NodeProto node)
    {
        if (node.Output.Count == 0) return;
        var branch = new GraphProto { Name = "branch", Node = { node.Clone() } };
        branch.Output.Add(new ValueInfoProto { Name = $"{node.Output[0]}_in" });
        branch.Node[0].Output[0] = $"{node.Output[0]}_in";
        node.OpType = "If";
        node.Attribute.Clear();
        node.Attribute.Add(((NodeArgument)("then_branch", branch)).Proto);
        node.Attribute.Add(((NodeArgument)("else_branch", branch.Clone())).Proto);
    }

    private static void Function(ModelProto model, NodeProto node)
    {
        var body = node.Clone();
        var function = new FunctionProto { Domain = "local", Name = $"f{model.Functions.Count}", Node = { body } };
        function.OpsetImport.Add(model.OpsetImport[0].Clone());
        function.Input.AddRange(node.Input.Where(input => input.Length > 0).Distinct());
        function.Output.AddRange(node.Output);
        (node.OpType, node.Domain) = (function.Name, "local");
        var given = function.Input.ToList();
        node.Input.Clear();
        node.Input.AddRange(given);
        model.Functions.Add(function);
        if (!model.OpsetImport.Any(import => import.Domain == "local"))
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
    }
}

using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Writes operators of the domain <c>ai.onnx.ml</c> in terms of ONNX's own where these say the same, so that they can be folded: FeatureVectorizer
/// becomes Concat, and Scaler a Sub and a BatchNormalization. A OneHotEncoder whose output is declared without the axis that it adds gets a Flatten.
/// </summary>
internal static class MachineLearningOperators
{
    private const string Domain = "ai.onnx.ml";

    // An offset this many times the spread costs more than one digit of (x − offset)·scale when it is multiplied out.
    private const double FarFromZero = 16;

    /// <summary>Replaces what can be replaced.</summary>
    /// <param name="model">
    /// The model, which is changed. The types and shapes that it declares for its inputs and values in between are believed.
    /// </param>
    public static void ReplaceByStandard(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var graph = model.Graph;
        var types = graph.Input.Concat(graph.ValueInfo).GroupBy(info => info.Name, StringComparer.Ordinal)
            .ToDictionary(same => same.Key, same => same.First().Type, StringComparer.Ordinal);
        var vectors = new HashSet<string>(StringComparer.Ordinal);
        var nodes = new List<NodeProto>();
        foreach (var node in graph.Node)
        {
            if (node.Domain == Domain && node.OpType == "FeatureVectorizer") AddConcat(node, types, vectors, nodes);
            else if (node.Domain == Domain && node.OpType == "Scaler" && AddScaler(node, types, graph, nodes)) continue;
            else if (node.Is("Cast") && vectors.Contains(node.Input[0]) && node.Integer("to", 0) == (long)DataType.Float)
                nodes.Add(new NodeProto { OpType = "Identity", Name = node.Name, Input = { node.Input[0] }, Output = { node.Output[0] } });
            else if (node.Domain == Domain && node.OpType == "OneHotEncoder" && Rank(types, node.Output[0]) == 2) AddOneHot(node, graph, nodes);
            else nodes.Add(node);
        }

        graph.Node.Clear();
        graph.Node.AddRange(nodes);
    }

    // It takes numbers of any type, flattens each operand to [N, size], and joins them as float32.
    private static void AddConcat(NodeProto node, Dictionary<string, TypeProto> types, HashSet<string> vectors, List<NodeProto> nodes)
    {
        var concat = new NodeProto { OpType = "Concat", Name = node.Name, Output = { node.Output[0] }, Attribute = { ((NodeArgument)("axis", 1)).Proto } };
        foreach (var (operand, index) in node.Input.Select((operand, index) => (operand, index)))
        {
            var (value, type) = (operand, types.GetValueOrDefault(operand)?.TensorType);
            if (type is null || type.ElemType != (int)DataType.Float)
                value = Add(nodes, "Cast", value, $"{node.Output[0]}_float{index}", ("to", (long)DataType.Float));
            if (Rank(types, operand) != 2)
                value = Add(nodes, "Flatten", value, $"{node.Output[0]}_flat{index}", ("axis", 1));
            concat.Input.Add(value);
        }

        vectors.Add(concat.Output[0]);
        nodes.Add(concat);
    }

    // [N, 1] becomes [N, 1, categories]; who declares [N, categories] means them flat.
    private static void AddOneHot(NodeProto node, GraphProto graph, List<NodeProto> nodes)
    {
        var encoder = node.Clone();
        encoder.Output[0] = $"{node.Output[0]}_axis";
        nodes.Add(encoder);
        // ONNX's own shape inference knows nothing of this domain, and wants to be told at least the type.
        var shape = new TensorShapeProto { Dim = { Dimension.Rows.ToProto(), Dimension.Unknown.ToProto(), Dimension.Unknown.ToProto() } };
        var type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = shape } };
        graph.ValueInfo.Add(new ValueInfoProto { Name = encoder.Output[0], Type = type });
        Add(nodes, "Flatten", encoder.Output[0], node.Output[0], ("axis", 1));
    }

    // y = (x − offset)·scale with an offset and a scale for each column, or one for all.
    private static bool AddScaler(NodeProto node, Dictionary<string, TypeProto> types, GraphProto graph, List<NodeProto> nodes)
    {
        if (types.GetValueOrDefault(node.Input[0])?.TensorType is not { Shape.Dim: [_, { DimValue: > 0 } columns] } type) return false;
        if ((DataType)type.ElemType is not (DataType.Float or DataType.Double)) return false;
        var count = (int)columns.DimValue;
        if (Values("scale", 1) is not { } scale || Values("offset", 0) is not { } offset) return false;
        var x = node.Input[0];
        if (offset.Zip(scale, (o, s) => Math.Abs(o * s)).Max() > FarFromZero)
        {
            // A Sub of its own is exact where it matters, and stays when the rest is folded.
            x = Add(nodes, "Sub", [x, Constant("offset", offset)], $"{node.Output[0]}_centered");
            offset = new double[count];
        }

        double[] zeros = new double[count], ones = [.. Enumerable.Repeat(1.0, count)];
        Add(
            nodes,
            "BatchNormalization",
            [x, Constant("scale", scale), Constant("shift", zeros), Constant("mean", offset), Constant("variance", ones)],
            node.Output[0],
            ("epsilon", 0f));
        return true;

        double[]? Values(string attribute, double otherwise)
        {
            var given = node.Attribute(attribute)?.Floats;
            if (given is null || given.Count == 0) return [.. Enumerable.Repeat(otherwise, count)];
            return given.Count == count ? [.. given.Select(value => (double)value)] : given.Count == 1 ? [.. Enumerable.Repeat((double)given[0], count)] : null;
        }

        string Constant(string role, double[] values)
        {
            var tensor = TensorData.FromDoubles($"{node.Output[0]}_{role}", (DataType)type.ElemType, values, count);
            graph.Initializer.Add(tensor);
            return tensor.Name;
        }
    }

    private static int? Rank(Dictionary<string, TypeProto> types, string value) => types.GetValueOrDefault(value)?.TensorType?.Shape?.Dim.Count;

    private static string Add(List<NodeProto> nodes, string opType, string input, string output, NodeArgument attribute) =>
        Add(nodes, opType, [input], output, attribute);

    private static string Add(List<NodeProto> nodes, string opType, string[] inputs, string output, params ReadOnlySpan<NodeArgument> attributes)
    {
        var node = new NodeProto { OpType = opType, Name = output, Input = { inputs }, Output = { output } };
        foreach (var attribute in attributes) node.Attribute.Add(attribute.Proto);
        nodes.Add(node);
        return output;
    }
}

using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Writes operators of the domain <c>ai.onnx.ml</c> in terms of ONNX's own where these say the same, so that they can be folded:
/// FeatureVectorizer becomes Concat, and Scaler a Sub and a BatchNormalization. A OneHotEncoder whose output is declared without the axis
/// that it adds gets a Flatten.
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
        var editor = new ModelEditor(model);
        var graph = editor.Main;
        var types = model.Graph.Input.Concat(model.Graph.ValueInfo).GroupBy(info => info.Name, StringComparer.Ordinal)
            .ToDictionary(same => same.Key, same => same.First().Type, StringComparer.Ordinal);
        var vectors = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in graph.Nodes.ToList())
        {
            if (node.Is("Cast") && vectors.Contains(node.Input[0]) && node.Integer("to", 0) == (long)DataType.Float)
                graph.Replace(node, Node("Identity", [node.Input[0]], node.Output[0], node.Name));
            if (node.Domain != Domain) continue;
            if (node.OpType == "FeatureVectorizer") ReplaceByConcat(node, types, graph, vectors);
            else if (node.OpType == "Scaler") ReplaceScaler(node, types, graph);
            else if (node.OpType == "OneHotEncoder" && Rank(types, node.Output[0]) == 2) FlattenOneHot(node, graph);
        }

        editor.Finish();
    }

    // It takes numbers of any type, flattens each operand to [N, size], and joins them as float32.
    private static void ReplaceByConcat(NodeProto node, Dictionary<string, TypeProto> types, OnnxGraph graph, HashSet<string> vectors)
    {
        var nodes = new List<NodeProto>();
        var operands = new List<string>();
        foreach (var (operand, index) in node.Input.Select((operand, index) => (operand, index)))
        {
            var (value, type) = (operand, types.GetValueOrDefault(operand)?.TensorType);
            if (type is null || type.ElemType != (int)DataType.Float)
                nodes.Add(Node("Cast", [value], value = graph.Fresh($"{node.Output[0]}_float{index}"), null, ("to", (long)DataType.Float)));
            if (Rank(types, operand) != 2)
                nodes.Add(Node("Flatten", [value], value = graph.Fresh($"{node.Output[0]}_flat{index}"), null, ("axis", 1)));
            operands.Add(value);
        }

        vectors.Add(node.Output[0]);
        graph.Replace(node, [.. nodes, Node("Concat", operands, node.Output[0], node.Name, ("axis", 1))]);
    }

    // [N, 1] becomes [N, 1, categories]; who declares [N, categories] means them flat.
    private static void FlattenOneHot(NodeProto node, OnnxGraph graph)
    {
        var (deep, flat) = (graph.Fresh($"{node.Output[0]}_axis"), node.Output[0]);
        graph.SetOutput(node, 0, deep);
        // ONNX's own shape inference knows nothing of this domain, and wants to be told at least the type.
        graph.Declare(ValueInfo.Of(deep, DataType.Float, TensorDimension.Rows, TensorDimension.Unknown, TensorDimension.Unknown));
        graph.AddBehind(node, Node("Flatten", [deep], flat, null, ("axis", 1)));
    }

    // y = (x − offset)·scale with an offset and a scale for each column, or one for all.
    private static void ReplaceScaler(NodeProto node, Dictionary<string, TypeProto> types, OnnxGraph graph)
    {
        if (types.GetValueOrDefault(node.Input[0])?.TensorType is not { Shape.Dim: [_, { DimValue: > 0 } columns] } type) return;
        if ((DataType)type.ElemType is not (DataType.Float or DataType.Double)) return;
        var count = (int)columns.DimValue;
        if (Values("scale", 1) is not { } scale || Values("offset", 0) is not { } offset) return;
        var (nodes, x) = (new List<NodeProto>(), node.Input[0]);
        if (offset.Zip(scale, (o, s) => Math.Abs(o * s)).Max() > FarFromZero)
        {
            // A Sub of its own is exact where it matters, and stays when the rest is folded.
            nodes.Add(Node("Sub", [x, Constant("offset", offset)], x = graph.Fresh($"{node.Output[0]}_centered"), null));
            offset = new double[count];
        }

        double[] zeros = new double[count], ones = [.. Enumerable.Repeat(1.0, count)];
        string[] inputs = [x, Constant("scale", scale), Constant("shift", zeros), Constant("mean", offset), Constant("variance", ones)];
        nodes.Add(Node("BatchNormalization", inputs, node.Output[0], null, ("epsilon", 0f)));
        graph.Replace(node, nodes);

        double[]? Values(string attribute, double otherwise)
        {
            var given = node.Attribute(attribute)?.Floats;
            if (given is null || given.Count == 0) return [.. Enumerable.Repeat(otherwise, count)];
            if (given.Count == count) return [.. given.Select(value => (double)value)];
            return given.Count == 1 ? [.. Enumerable.Repeat((double)given[0], count)] : null;
        }

        string Constant(string role, double[] values) => graph.AddConstant(
            $"{node.Output[0]}_{role}", name => TensorData.FromDoubles(name, (DataType)type.ElemType, values, count));
    }

    private static int? Rank(Dictionary<string, TypeProto> types, string value) =>
        types.GetValueOrDefault(value)?.TensorType?.Shape?.Dim.Count;

    private static NodeProto Node(
        string opType, IEnumerable<string> inputs, string output, string? name, params ReadOnlySpan<NodeArgument> attributes)
    {
        var node = new NodeProto { OpType = opType, Name = name ?? output, Input = { inputs }, Output = { output } };
        foreach (var attribute in attributes) node.Attribute.Add(attribute.Proto);
        return node;
    }
}

using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Brings a model from operator set 12 or later to a later one, so that it can be joined with others. Only operators that are known to mean
/// the same there are let through.
/// </summary>
internal static class OperatorSetUpgrade
{
    /// <summary>The oldest operator set that is upgraded.</summary>
    public const int Oldest = 12;

    /// <summary>The newest operator set that is reached.</summary>
    public const int Newest = 17;

    // Their axes were an attribute before operator set 13 and are an input from it on.
    private static readonly HashSet<string> AxesBecomeInput = new(["Squeeze", "Unsqueeze", "ReduceSum"], StringComparer.Ordinal);

    // Of these, sets 13 to 17 changed nothing but types, or added attributes and outputs that are optional.
    private static readonly HashSet<string> Unchanged = new(
        [
            "Abs", "Add", "And", "ArgMax", "ArgMin", "AveragePool", "BitShift", "Cast", "Ceil", "Clip", "Concat", "Constant",
            "ConstantOfShape", "Conv", "Div", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements",
            "GatherND", "Gemm", "GlobalAveragePool", "Greater", "GreaterOrEqual", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less",
            "LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mod", "Mul", "Neg", "NonZero", "Not", "OneHot", "Or",
            "Pad", "Pow", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare",
            "Relu", "Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Softplus", "Sqrt", "StringNormalizer",
            "Sub", "Sum", "Tanh", "TfIdfVectorizer", "Tile", "TopK", "Transpose", "Unique", "Where", "Xor",
        ],
        StringComparer.Ordinal);

    /// <summary>Upgrades a model.</summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="opset">The operator set that is wanted, up to <see cref="Newest"/>.</param>
    /// <returns>A new model, or the given one when it is written for that operator set already.</returns>
    /// <exception cref="InvalidModelException">The way is not known for the operator set or for an operator, which is named.</exception>
    public static ModelProto Upgrade(ModelProto model, int opset)
    {
        ArgumentNullException.ThrowIfNull(model);
        var from = OperatorSets.DefaultOf(model);
        if (from == opset) return model;
        if (from < Oldest || opset > Newest || from > opset)
            throw new InvalidModelException(
                $"The model is written for operator set {from} and cannot be brought to {opset}; from {Oldest} to {Newest} upwards it"
                + " can.");
        var result = model.Clone();
        foreach (var import in result.OpsetImport.Where(import => import.Domain is "" or "ai.onnx")) import.Version = opset;
        result.IrVersion = Math.Max(result.IrVersion, OperatorSets.IrVersionFor(opset));
        var editor = new ModelEditor(result);
        foreach (var graph in editor.Graphs) Upgrade(graph, from, opset);
        editor.Finish();
        return result;
    }

    private static void Upgrade(OnnxGraph graph, long from, int to)
    {
        foreach (var node in graph.Nodes)
        {
            if (!node.IsStandard() || Unchanged.Contains(node.OpType)) continue;
            if (AxesBecomeInput.Contains(node.OpType))
            {
                if (from < 13 && to >= 13) MoveAxes(graph, node);
                continue;
            }

            // With one output it is in inference mode, then as now.
            if (node.OpType == "BatchNormalization" && node.Output.Count(output => output.Length > 0) == 1) continue;
            if (from >= 13 && node.OpType is "Softmax" or "LogSoftmax" or "Hardmax") continue;
            throw new InvalidModelException(
                $"{node.Describe()} is written for operator set {from}, and how it is written for {to} is not known here.");
        }
    }

    private static void MoveAxes(OnnxGraph graph, NodeProto node)
    {
        if (node.Attribute("axes") is not { } axes) return;
        node.Attribute.Remove(axes);
        var constant = graph.AddConstant($"{node.Output[0]}_axes", name => TensorData.Create(name, [.. axes.Ints], axes.Ints.Count));
        graph.SetInput(node, Math.Max(node.Input.Count, 1), constant);
    }
}

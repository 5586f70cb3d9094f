using Google.Protobuf.Collections;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// How many inputs and outputs an operator of ONNX's own domain has: the fewest and the most in any version of it (ONNX's Operators.md and
/// Changelog.md). Only operators that are looked into here are listed; any other has at least one output.
/// </summary>
/// <param name="Required">How many inputs must be given.</param>
/// <param name="Most">How many there can be.</param>
/// <param name="Outputs">How many outputs there can be.</param>
internal sealed record OperatorSignature(int Required, int Most, int Outputs)
{
    private static readonly Dictionary<string, OperatorSignature> ByOperator = Build();

    /// <summary>Checks a node's inputs, outputs and axes.</summary>
    /// <param name="node">A node of the default domain.</param>
    /// <param name="opset">The version that the model is written for: one newer than this library may have more inputs.</param>
    /// <exception cref="InvalidModelException">It has too few or too many, or axes that no tensor has.</exception>
    public static void Check(NodeProto node, long opset)
    {
        if (!HasOutput(node)) throw new InvalidModelException($"{node.Describe()} has no output.");
        for (var i = 0; i < node.Attribute.Count; i++)
        {
            var attribute = node.Attribute[i];
            if (attribute.Name is "axis" && IsNoAxis(attribute.I)) throw NoAxis(node, attribute.I);
            if (attribute.Name is "axes" or "perm" && attribute.Ints.FirstOrDefault(IsNoAxis) is not 0 and var axis)
                throw NoAxis(node, axis);
            if (attribute.Name is "perm" && node.OpType == "Transpose" && !IsOrder(attribute.Ints))
                throw new InvalidModelException(
                    $"{node.Describe()} has the perm [{string.Join(", ", attribute.Ints.Take(GraphChecker.MostAxes))}], which does not "
                    + "name each axis once.");
        }

        if (!ByOperator.TryGetValue(node.OpType, out var signature)) return;
        if (node.Output[0].Length == 0 && node.OpType != "Split")
            throw new InvalidModelException($"{node.Describe()} has no first output.");
        for (var input = 0; input < signature.Required; input++)
        {
            if (node.InputAt(input).Length == 0)
                throw new InvalidModelException(
                    $"{node.Describe()} has no input {input}; {node.OpType} needs {signature.Required} "
                    + $"{(signature.Required == 1 ? "input" : "inputs")}.");
        }

        if (opset > OperatorSets.Newest) return;
        if (node.Input.Count > signature.Most)
            throw new InvalidModelException($"{node.Describe()} has {node.Input.Count} inputs; {node.OpType} takes {signature.Most}.");
        if (node.Output.Count > signature.Outputs)
            throw new InvalidModelException($"{node.Describe()} has {node.Output.Count} outputs; {node.OpType} has {signature.Outputs}.");
    }

    private static bool HasOutput(NodeProto node)
    {
        for (var i = 0; i < node.Output.Count; i++)
            if (node.Output[i].Length > 0) return true;
        return false;
    }

    private static bool IsNoAxis(long axis) => axis is < -GraphChecker.MostAxes or > GraphChecker.MostAxes;

    private static InvalidModelException NoAxis(NodeProto node, long axis) =>
        new($"{node.Describe()} names the axis {axis}; tensors have at most {GraphChecker.MostAxes} dimensions.");

    private static bool IsOrder(RepeatedField<long> perm)
    {
        var seen = new bool[perm.Count];
        foreach (var given in perm)
        {
            var axis = given < 0 ? given + perm.Count : given;
            if (axis < 0 || axis >= perm.Count || seen[axis]) return false;
            seen[axis] = true;
        }

        return true;
    }

    private static Dictionary<string, OperatorSignature> Build()
    {
        var signatures = new Dictionary<string, OperatorSignature>(StringComparer.Ordinal);
        Add(
            new(1, 1, 1), "Identity", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Sigmoid", "HardSigmoid", "HardSwish",
            "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Softmax", "LogSoftmax", "Hardmax", "Exp", "Log", "Sqrt", "Abs", "Neg",
            "Reciprocal", "Erf", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "LRN", "LpNormalization", "MeanVarianceNormalization",
            "Not", "IsNaN", "Cast", "Flatten", "Transpose", "DepthToSpace", "SpaceToDepth", "GlobalAveragePool", "GlobalMaxPool",
            "GlobalLpPool", "AveragePool", "LpPool", "Shape", "Size", "ConstantOfShape");
        Add(new(1, 1, 2), "MaxPool");
        Add(new(1, 3, 2), "Dropout");
        Add(new(1, 3, 1), "Clip");
        Add(new(1, 4, 1), "Pad", "Resize");
        Add(new(1, 5, 1), "Slice");
        Add(
            new(1, 2, 1), "Squeeze", "Unsqueeze", "Reshape", "Upsample", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd",
            "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp");
        Add(new(1, 2, int.MaxValue), "Split");
        Add(new(1, int.MaxValue, 1), "Max", "Min", "Sum", "Mean", "Concat", "Einsum");
        Add(
            new(2, 2, 1), "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater", "LessOrEqual",
            "GreaterOrEqual", "Mod", "PRelu", "CumSum", "Expand", "Gather", "MatMul");
        Add(new(2, 3, 1), "Gemm", "Conv", "ConvTranspose", "Tile");
        Add(new(2, 3, 3), "LayerNormalization");
        Add(new(3, 3, 1), "Where", "InstanceNormalization", "GroupNormalization");
        Add(new(5, 5, 5), "BatchNormalization");
        Add(new(0, 0, 1), "Constant");
        return signatures;

        void Add(OperatorSignature signature, params ReadOnlySpan<string> operators)
        {
            foreach (var name in operators) signatures.Add(name, signature);
        }
    }
}

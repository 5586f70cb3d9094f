using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A constant that a node reads, or why there is none.</summary>
internal readonly struct ConstantLookup
{
    private readonly object? _tensorOrMaker;
    private readonly string _text;

    private ConstantLookup(object? tensorOrMaker, string text) => (_tensorOrMaker, _text) = (tensorOrMaker, text);

    /// <summary>The constant, or null.</summary>
    public RealTensor? Tensor => _tensorOrMaker as RealTensor;

    /// <summary>Why there is none: a clause for a message. Of most values nobody asks, so it is written when somebody does.</summary>
    public string Reason => _tensorOrMaker is NodeProto maker ? $"'{_text}' is computed by {maker.Describe()}" : _text;

    public static ConstantLookup None(string reason) => new(null, reason);

    /// <summary>There is none because a node computes the value.</summary>
    public static ConstantLookup Computed(string value, NodeProto maker) => new(maker, value);

    public static ConstantLookup Found(RealTensor tensor) => new(tensor, string.Empty);
}

/// <summary>
/// Values that nodes compute from constants alone: what exporters put between a weight and its use (Identity, Cast, Reshape, Transpose, …),
/// and the arithmetic of normalized weights (W / σ of spectral norm, g·V / ‖V‖ of weight norm, (W − mean) / deviation of weight
/// standardization). What is computed is rounded to its type after each operator, as it is when the model runs.
/// </summary>
/// <remarks>
/// A repeated value stays one, arithmetic waits until somebody reads the elements, and nothing is worked out that would be far larger than
/// what is stored.
/// </remarks>
internal static class ConstantReader
{
    // Beyond this many bytes a constant may not be more than as many times what is stored of it.
    private const long FreeBytes = 1 << 22;
    private const long LargestGrowth = 16;

    private static readonly HashSet<string> Views = new(
        ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Dropout"], StringComparer.Ordinal);

    /// <summary>
    /// How many of its first inputs must be known before a node is read (an empty one is not there); none for an operator that makes no
    /// constants.
    /// </summary>
    public static int OperandCount(NodeProto node) => !node.IsStandard()
        ? 0
        : Math.Min(Views.Contains(node.OpType) ? 1 : ConstantOperators.DataInputs(node) ?? 0, node.Input.Count);

    /// <summary>The constant that a node makes, or why a value of it is none.</summary>
    /// <param name="node">The node.</param>
    /// <param name="value">Which of its outputs.</param>
    /// <param name="graph">The graph that it stands in; it knows the node's operands (<see cref="OperandCount"/>).</param>
    public static ConstantLookup Read(NodeProto node, string value, OnnxGraph graph)
    {
        var computed = ConstantLookup.Computed(value, node);
        if (!node.IsStandard()) return computed;
        if (node.OpType == "Constant")
            return Literal(node) is { } literal
                ? ConstantLookup.Found(literal)
                : ConstantLookup.None($"'{value}' does not hold real numbers");
        if (node.OpType == "ConstantOfShape")
            return Filled(node, graph) is { } filled
                ? ConstantLookup.Found(filled)
                : ConstantLookup.None($"the shape or type of {node.Describe()} cannot be folded");
        if (Views.Contains(node.OpType)) return node.Output[0] == value ? View(node, graph, computed) : computed;
        if (Operands(node, graph) is not { Length: > 0 } tensors || tensors.Any(tensor => tensor.Type != tensors[0].Type)) return computed;
        if (ConstantOperators.Plan(node, node.Output.IndexOf(value), tensors, graph) is not { } plan) return computed;
        // One constant may be met many times.
        var stored = tensors.Aggregate(0L, (sum, tensor) => Math.Min(sum + tensor.Stored, 1L << 50));
        if (IsTooLarge(tensors[0].Type, plan.Shape, stored))
            return ConstantLookup.None($"{node.Describe()} makes a constant far larger than what it is made from");
        return graph.MayCompute(plan.Shape, tensors[0].Type, plan.Steps)
            ? ConstantLookup.Found(
                RealTensor.Computed(tensors[0].Type, plan.Shape, stored, tensors.Max(tensor => tensor.Waiting), plan.Compute))
            : TooLate(node);
    }

    // Of most nodes the first operand is none.
    private static RealTensor[]? Operands(NodeProto node, OnnxGraph graph)
    {
        var count = OperandCount(node);
        List<RealTensor>? tensors = null;
        for (var i = 0; i < count; i++)
        {
            if (node.Input[i].Length == 0) continue;
            if (graph.Constant(node.Input[i]).Tensor is not { } tensor) return null;
            (tensors ??= []).Add(tensor);
        }

        return tensors?.ToArray();
    }

    private static bool IsTooLarge(DataType type, long[] shape, long stored)
    {
        if (!RealTensor.Fits(shape)) return true;
        var bytes = shape.Aggregate(1L, (product, size) => product * size) * ElementTypes.Of(type).Bits!.Value / 8;
        return bytes > FreeBytes && bytes / LargestGrowth > stored;
    }

    private static ConstantLookup View(NodeProto node, OnnxGraph graph, ConstantLookup computed)
    {
        var input = graph.Constant(node.InputAt(0));
        if (input.Tensor is not { } tensor) return input;
        switch (node.OpType)
        {
            case "Identity":
                return input;
            case "Dropout":
                return node.InputAt(2).Length == 0 && (graph.Opset >= 7 || node.Integer("is_test", 0) != 0) ? input : computed;
            case "Cast":
                var type = (DataType)node.Integer("to", 0);
                if (!TensorData.IsReal((int)type)) return computed;
                if (ElementTypes.Of(type).Bits >= ElementTypes.Of(tensor.Type).Bits && type != DataType.Bfloat16)
                    return ConstantLookup.Found(tensor.As(type));
                // A Cast that rounds does so before the fold, or the fold would be more exact than the model.
                return graph.MayCompute(tensor.Shape, type)
                    ? ConstantLookup.Found(
                        RealTensor.Computed(type, [.. tensor.Shape], tensor.Stored, tensor.Waiting, tensor.ToArray))
                    : TooLate(node);
            case "Transpose":
                var order = node.Integers("perm")?.Select(axis => (int)(axis < 0 ? axis + tensor.Rank : axis)).ToArray()
                    ?? [.. Enumerable.Range(0, tensor.Rank).Reverse()];
                if (order.Length != tensor.Rank) return computed;
                return tensor.Repeated is not null || graph.MayCompute(tensor.Shape, tensor.Type)
                    ? ConstantLookup.Found(Transposed(tensor, order))
                    : TooLate(node);
            default:
                var shape = graph.Shape(node.Output[0]);
                if (shape is null || !shape.Dimensions.All(size => size.Size is not null)) return computed;
                long[] sizes = [.. shape.Dimensions.Select(size => size.Size!.Value)];
                return RealTensor.Fits(sizes) && sizes.Aggregate(1L, (product, size) => product * size) == tensor.Count
                    ? ConstantLookup.Found(tensor.Reshaped(sizes))
                    : computed;
        }
    }

    private static RealTensor? Literal(NodeProto node)
    {
        if (node.Attribute("value") is { T: { } tensor }) return RealTensor.From(tensor);
        if (node.Attribute("value_float") is { } single) return RealTensor.Of(DataType.Float, [single.F]);
        if (node.Attribute("value_floats") is { } several)
            return RealTensor.Of(DataType.Float, [.. several.Floats.Select(value => (double)value)], several.Floats.Count);
        return null;
    }

    private static RealTensor? Filled(NodeProto node, OnnxGraph graph)
    {
        if (graph.Integers(node.InputAt(0)) is not { } shape) return null;
        if (node.Attribute("value") is not { T: { } value }) return RealTensor.Filled(DataType.Float, shape, 0);
        return RealTensor.From(value) is { Count: 1 } one ? RealTensor.Filled(one.Type, shape, one.ToArray()[0]) : null;
    }

    private static ConstantLookup TooLate(NodeProto node) => ConstantLookup.None(
        $"the model computes more from constants than is worked out here, and {node.Describe()} comes too late");

    private static RealTensor Transposed(RealTensor tensor, int[] order)
    {
        var shape = order.Select(axis => tensor.Shape[axis]).ToArray();
        if (tensor.Repeated is { } value) return RealTensor.Filled(tensor.Type, shape, value)!;
        return RealTensor.Computed(tensor.Type, shape, tensor.Stored, tensor.Waiting, () =>
        {
            var strides = order.Select(axis => tensor.Product(axis + 1, tensor.Rank)).ToArray();
            return ConstantOperators.Gathered(tensor.ToArray(), shape, strides);
        });
    }
}

using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A constant that a node reads, or why there is none.</summary>
/// <param name="Tensor">The constant, or null.</param>
/// <param name="Reason">Why there is none: a clause for a message.</param>
internal readonly record struct ConstantLookup(RealTensor? Tensor, string Reason)
{
    public static ConstantLookup None(string reason) => new(null, reason);

    public static ConstantLookup Found(RealTensor tensor) => new(tensor, string.Empty);
}

/// <summary>
/// Values that nodes compute from constants alone, for the few operators that exporters put between a weight and its use: Constant,
/// Identity, ConstantOfShape, Cast, Reshape and its relatives, Transpose.
/// </summary>
internal static class ConstantReader
{
    /// <summary>The constant that a node makes, or why its output is none.</summary>
    /// <param name="node">The node.</param>
    /// <param name="graph">The graph that it stands in.</param>
    public static ConstantLookup Read(NodeProto node, OnnxGraph graph)
    {
        var computed = ConstantLookup.None($"'{node.Output[0]}' is computed by {node.Describe()}");
        if (!node.IsStandard()) return computed;
        var input = node.OpType is "Identity" or "Cast" or "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten" or "Transpose"
            ? graph.Constant(node.InputAt(0))
            : computed;
        RealTensor? tensor;
        switch (node.OpType)
        {
            case "Constant":
                tensor = Literal(node);
                return tensor is null
                    ? ConstantLookup.None($"'{node.Output[0]}' does not hold real numbers")
                    : ConstantLookup.Found(tensor);
            case "Identity":
                return input;
            case "ConstantOfShape":
                return Filled(node, graph) is { } filled
                    ? ConstantLookup.Found(filled)
                    : ConstantLookup.None($"the shape or type of {node.Describe()} cannot be folded");
            case "Cast":
                var type = (DataType)node.Integer("to", 0);
                // A Cast that rounds must round before the fold, or the fold would be more exact than the model.
                if (input.Tensor is null || !TensorData.IsReal((int)type)
                    || ElementTypes.Of(type).Bits < ElementTypes.Of(input.Tensor.Type).Bits)
                    return input.Tensor is null ? input : computed;
                return ConstantLookup.Found(input.Tensor.As(type));
            case "Reshape" or "Squeeze" or "Unsqueeze" or "Flatten":
                var shape = graph.Shape(node.Output[0]);
                if (input.Tensor is null || shape is null || !shape.Dimensions.All(size => size.Size is not null))
                    return input.Tensor is null ? input : computed;
                return ConstantLookup.Found(input.Tensor.Reshaped([.. shape.Dimensions.Select(size => size.Size!.Value)]));
            case "Transpose":
                return input.Tensor is null ? input : ConstantLookup.Found(Transposed(input.Tensor, node.Integers("perm")));
            default:
                return computed;
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

    private static RealTensor Transposed(RealTensor tensor, IReadOnlyList<long>? perm)
    {
        var order = perm?.Select(axis => (int)axis).ToArray() ?? [.. Enumerable.Range(0, tensor.Rank).Reverse()];
        var shape = order.Select(axis => tensor.Shape[axis]).ToArray();
        var strides = order.Select(axis => tensor.Product(axis + 1, tensor.Rank)).ToArray();
        var (from, to) = (tensor.ToArray(), new double[tensor.Count]);
        for (var i = 0; i < to.Length; i++)
        {
            long source = 0;
            var rest = (long)i;
            for (var axis = shape.Length - 1; axis >= 0; axis--)
            {
                source += rest % shape[axis] * strides[axis];
                rest /= shape[axis];
            }

            to[i] = from[source];
        }

        return RealTensor.Of(tensor.Type, to, shape);
    }
}

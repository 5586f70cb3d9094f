namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Operators that are written differently in different operator sets, each as one call. This is the only place that knows from which set on
/// which form holds, so that whoever emits a graph need not.
/// </summary>
public static class OperatorSetDialects
{
    /// <summary>Sums over axes.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The tensor.</param>
    /// <param name="keepAxes">Whether the axes stay, with size 1.</param>
    /// <param name="axes">The axes, counted from 0.</param>
    /// <remarks>The axes are an attribute before operator set 13 and an input from it on.</remarks>
    public static Value ReduceSum(this GraphBuilder nodes, Value x, bool keepAxes, params long[] axes) =>
        Reduce(nodes, "ReduceSum", 13, x, keepAxes, axes);

    /// <summary>The mean over axes; see <see cref="ReduceSum"/>.</summary>
    /// <remarks>The axes are an attribute before operator set 18 and an input from it on.</remarks>
    public static Value ReduceMean(this GraphBuilder nodes, Value x, bool keepAxes, params long[] axes) =>
        Reduce(nodes, "ReduceMean", 18, x, keepAxes, axes);

    /// <summary>The largest element along axes; see <see cref="ReduceSum"/>.</summary>
    /// <remarks>The axes are an attribute before operator set 18 and an input from it on.</remarks>
    public static Value ReduceMax(this GraphBuilder nodes, Value x, bool keepAxes, params long[] axes) =>
        Reduce(nodes, "ReduceMax", 18, x, keepAxes, axes);

    private static Value Reduce(GraphBuilder nodes, string opType, int axesAsInputFrom, Value x, bool keepAxes, long[] axes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        var keep = keepAxes ? 1L : 0L;
        return nodes.Opset >= axesAsInputFrom
            ? nodes.Node(opType, [x, nodes.Integers(axes)], ("keepdims", keep))
            : nodes.Node(opType, [x], ("axes", axes), ("keepdims", keep));
    }
}

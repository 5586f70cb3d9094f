using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The operator sets of ONNX: which one a model is written for, and operators that are written differently in different ones, each as one
/// call. This is the only place that knows from which set on which form holds, so that whoever emits a graph need not.
/// </summary>
internal static class OperatorSets
{
    /// <summary>The newest IR version that is written.</summary>
    public const long NewestIrVersion = 10;

    /// <summary>The newest version of ONNX's own operators whose forms are known here.</summary>
    public const long Newest = 25;

    /// <summary>The version of ONNX's own operators that a model is written for; 1 for files older than operator sets.</summary>
    public static long DefaultOf(ModelProto model) =>
        model.OpsetImport.FirstOrDefault(import => import.Domain is "" or "ai.onnx")?.Version ?? 1;

    /// <summary>The oldest IR version that knows an operator set, so that old runtimes can read what we write.</summary>
    public static long IrVersionFor(int opset) => opset switch
    {
        <= 8 => 3,
        9 => 4,
        10 => 5,
        11 => 6,
        <= 14 => 7,
        <= 18 => 8,
        <= 20 => 9,
        _ => NewestIrVersion,
    };

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

    /// <summary>Values brought between two bounds.</summary>
    /// <remarks>The bounds are attributes before operator set 11 and inputs from it on.</remarks>
    public static Value Clip(this GraphBuilder nodes, Value x, float low, float high)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        return nodes.Opset >= 11
            ? nodes.Node("Clip", [x, nodes.Constant(low), nodes.Constant(high)])
            : nodes.Node("Clip", [x], ("min", low), ("max", high));
    }

    /// <summary>The sum of the squares of all elements.</summary>
    /// <remarks>Of all of them: without axes the form is the same in all operator sets.</remarks>
    public static Value SumOfSquares(this GraphBuilder nodes, Value x) => nodes.Node("ReduceSumSquare", [x], ("keepdims", 0));

    private static Value Reduce(GraphBuilder nodes, string opType, int axesAsInputFrom, Value x, bool keepAxes, long[] axes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        var keep = keepAxes ? 1L : 0L;
        return nodes.Opset >= axesAsInputFrom
            ? nodes.Node(opType, [x, nodes.Integers(axes)], ("keepdims", keep))
            : nodes.Node(opType, [x], ("axes", axes), ("keepdims", keep));
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// Sums over all values of a channel, rows and positions alike (Ioffe and Szegedy 2015, section 3.2), and the way back from a statistic to
/// the values it belongs to. Batch normalization is written once in these terms; whether it takes the batch as a whole or in slices
/// (ghost batch normalization) is decided here.
/// </summary>
internal abstract class ChannelReduction
{
    /// <summary>The reduction for rows of shape <paramref name="shape"/>.</summary>
    /// <param name="graph">The training step.</param>
    /// <param name="shape">The shape of a row.</param>
    /// <param name="ghostBatchSize">The rows in a slice, or null for the whole batch.</param>
    public static ChannelReduction Of(TrainingGraph graph, SampleShape shape, int? ghostBatchSize = null) =>
        ghostBatchSize is { } size ? new GhostSlices(graph, shape, size) : new WholeBatch(graph, shape);

    /// <summary>The sum of each channel's values: <c>[N, C, …]</c> to a statistic, <c>[C]</c> or one such row for each slice.</summary>
    public abstract Value Sum(Value x);

    /// <summary>A statistic divided by the number m of values it was summed over.</summary>
    public abstract Value PerValue(string name, Value statistic);

    /// <summary>A statistic in a shape that broadcasts against <c>[N, C, …]</c>.</summary>
    public abstract Value Spread(Value statistic);

    /// <summary>A biased variance times m/(m−1).</summary>
    public abstract Value Unbiased(Value variance);

    /// <summary>The sum of a statistic over the slices, <c>[C]</c>.</summary>
    public abstract Value SumOfSlices(Value statistic);

    /// <summary>The mean of a statistic over the slices, <c>[C]</c>.</summary>
    public abstract Value MeanOfSlices(Value statistic);

    /// <summary>The mean of each channel's values.</summary>
    public Value Mean(string name, Value x) => PerValue(name, Sum(x));

    /// <summary>A vector <c>[C]</c> in a shape that broadcasts against <c>[N, C, …]</c>: <c>[C, 1, 1]</c> for images.</summary>
    public static Value Column(GraphBuilder nodes, Value vector, SampleShape shape)
    {
        if (shape.IsVector) return vector;
        long[] sizes = [shape.Channels, .. Enumerable.Repeat(1L, shape.Sizes.Count - 1)];
        return nodes.Node("Reshape", [vector, nodes.Integers(sizes)]);
    }
}

/// <summary>Statistics over the whole mini-batch: vectors <c>[C]</c>.</summary>
internal sealed class WholeBatch(TrainingGraph graph, SampleShape shape) : ChannelReduction
{
    private readonly GraphBuilder _nodes = graph.Nodes;

    // First over the rows, as a product with a row of ones: ONNX Runtime runs that several times faster than ReduceSum. What is left
    // for the positions of a channel is one row.
    public override Value Sum(Value x)
    {
        if (shape.IsVector) return graph.SumOverRows(x);
        var sums = graph.SumOverRows(_nodes.Node("Reshape", [x, _nodes.Integers(-1, shape.Count)]));
        return _nodes.ReduceSum(_nodes.Node("Reshape", [sums, _nodes.Integers(shape.Channels, -1)]), keepAxes: false, 1);
    }

    public override Value PerValue(string name, Value statistic) => _nodes.Named(name, "Mul", [statistic, InverseCount]);

    public override Value Spread(Value statistic) => Column(_nodes, statistic, shape);

    public override Value Unbiased(Value variance)
    {
        var positions = shape.Positions;
        var factor = graph.HostScalar(Name("unbiased"), context => Unbias((double)context.Rows * positions));
        return _nodes.Node("Mul", [variance, factor]);
    }

    public override Value SumOfSlices(Value statistic) => statistic;

    public override Value MeanOfSlices(Value statistic) => statistic;

    private Value InverseCount
    {
        get
        {
            var positions = shape.Positions;
            return positions == 1
                ? graph.InverseRows
                : graph.HostScalar(Name("inverseCount"), context => (float)(1 / ((double)context.Rows * positions)));
        }
    }

    private static float Unbias(double count) => (float)(count / (count - 1));

    private string Name(string stem) => shape.Positions == 1 ? stem : $"{stem}{shape.Positions}";
}

/// <summary>
/// Statistics over slices of the mini-batch (ghost batch normalization, Hoffer et al. 2017, arXiv 1705.08741): matrices <c>[K, C]</c> with
/// a row for each of K slices. With E the <c>[N, K]</c> matrix that has a 1 where a row belongs to a slice, sums are Eᵀ·x and the way back
/// is E·s.
/// </summary>
/// <remarks>
/// K is N/G to the nearest whole number (a half goes down, and at least 1), and the rows are dealt out in order into K slices whose sizes
/// differ by at most one. Where N is a multiple of G that is the plain definition; elsewhere no slice is left with a row or two, whose
/// variance would be worthless.
/// </remarks>
internal sealed class GhostSlices(TrainingGraph graph, SampleShape shape, int ghostBatchSize) : ChannelReduction
{
    private readonly GraphBuilder _nodes = graph.Nodes;

    public override Value Sum(Value x)
    {
        var rows = shape.IsVector ? x : _nodes.Node("Reshape", [x, _nodes.Integers(-1, shape.Count)]);
        var sums = _nodes.Named("sum", "Gemm", [Membership, rows], ("transA", 1));
        return shape.IsVector
            ? sums
            : _nodes.ReduceSum(_nodes.Node("Reshape", [sums, _nodes.Integers(-1, shape.Channels, shape.Positions)]), keepAxes: false, 2);
    }

    public override Value PerValue(string name, Value statistic) => _nodes.Named(name, "Div", [statistic, Counts]);

    public override Value Spread(Value statistic)
    {
        var perRow = _nodes.Node("MatMul", [Membership, statistic]);
        long[] sizes = [-1, shape.Channels, .. Enumerable.Repeat(1L, shape.Sizes.Count - 1)];
        return shape.IsVector ? perRow : _nodes.Node("Reshape", [perRow, _nodes.Integers(sizes)]);
    }

    public override Value Unbiased(Value variance) =>
        _nodes.Node("Mul", [variance, _nodes.Node("Div", [Counts, _nodes.Node("Sub", [Counts, _nodes.Constant(1)])])]);

    public override Value SumOfSlices(Value statistic) => _nodes.ReduceSum(statistic, keepAxes: false, 0);

    public override Value MeanOfSlices(Value statistic) => _nodes.ReduceMean(statistic, keepAxes: false, 0);

    // E: row i belongs to slice ⌊i·K/N⌋, in whole numbers.
    private Value Membership => graph.Shared($"slices{ghostBatchSize}", () =>
    {
        var size = ghostBatchSize;
        var count = Whole(graph.HostScalar($"sliceCount{size}", context => SliceCount(context.Rows, size)));
        var rows = Whole(graph.HostScalar("rows", context => context.Rows));
        var slice = _nodes.Node("Div", [_nodes.Node("Mul", [Range(rows), count]), rows]);
        var column = _nodes.Node("Reshape", [slice, _nodes.Integers(-1, 1)]);
        return _nodes.Named("membership", "Cast", [_nodes.Node("Equal", [column, Range(count)])], ("to", (long)DataType.Float));
    });

    // m of each slice, [K, 1].
    private Value Counts => graph.Shared($"sliceCounts{ghostBatchSize}x{shape.Positions}", () =>
    {
        var rows = _nodes.Node("Reshape", [graph.SumOverRows(Membership), _nodes.Integers(-1, 1)]);
        return _nodes.Named("count", "Mul", [rows, _nodes.Constant(shape.Positions)]);
    });

    /// <summary>The number of slices of a batch.</summary>
    internal static int SliceCount(int rows, int ghostBatchSize) => Math.Max(1, (int)Math.Ceiling(((double)rows / ghostBatchSize) - 0.5));

    private Value Whole(Value scalar) => _nodes.Node("Cast", [scalar], ("to", (long)DataType.Int64));

    private Value Range(Value count) => _nodes.Node("Range", [Whole(_nodes.Constant(0)), count, Whole(_nodes.Constant(1))]);
}

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Statistics over slices of the mini-batch (ghost batch normalization, Hoffer et al. 2017, arXiv 1705.08741): matrices <c>[K, C]</c> with a
/// row for each of K slices. With E the <c>[N, K]</c> matrix that has a 1 where a row belongs to a slice, sums are Eᵀ·x and the way back is E·s.
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
        return _nodes.Named("membership", "Cast", [_nodes.Node("Equal", [column, Range(count)])], ("to", 1));
    });

    // m of each slice, [K, 1].
    private Value Counts => graph.Shared($"sliceCounts{ghostBatchSize}x{shape.Positions}", () =>
    {
        var rows = _nodes.Node("Reshape", [graph.SumOverRows(Membership), _nodes.Integers(-1, 1)]);
        return _nodes.Named("count", "Mul", [rows, _nodes.Constant(shape.Positions)]);
    });

    /// <summary>The number of slices of a batch.</summary>
    internal static int SliceCount(int rows, int ghostBatchSize) => Math.Max(1, (int)Math.Ceiling(((double)rows / ghostBatchSize) - 0.5));

    private Value Whole(Value scalar) => _nodes.Node("Cast", [scalar], ("to", 7));

    private Value Range(Value count) => _nodes.Node(
        "Range", [_nodes.Node("Cast", [_nodes.Constant(0)], ("to", 7)), count, _nodes.Node("Cast", [_nodes.Constant(1)], ("to", 7))]);
}

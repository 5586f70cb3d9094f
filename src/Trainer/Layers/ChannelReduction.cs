using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

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

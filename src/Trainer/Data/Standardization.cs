using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// Shifts and scales each channel of the input to mean 0 and variance 1 over the training rows. It is exported as a BatchNormalization node
/// in front of the network, which folds into the first layer like any other.
/// </summary>
/// <param name="Mean">The mean of each channel, <c>[C]</c>.</param>
/// <param name="StandardDeviation">The standard deviation of each channel, <c>[C]</c>; 0 for a constant one, whose values become 0.</param>
/// <param name="Clip">
/// How many standard deviations from its mean a value may be; what is farther is brought to that bound. Infinity (the default) = no bound.
/// </param>
internal sealed record Standardization(
    IReadOnlyList<float> Mean, IReadOnlyList<float> StandardDeviation, float Clip = float.PositiveInfinity)
{
    /// <summary>Measures mean and standard deviation in float64, in two passes.</summary>
    /// <param name="rows">The training rows.</param>
    /// <param name="clip">How many standard deviations from its mean a value may be; above 0, infinity (the default) = no bound.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bound is not above 0.</exception>
    public static Standardization Fit(TrainingData rows, float clip = float.PositiveInfinity)
    {
        if (!(clip > 0))
            throw new ArgumentOutOfRangeException(
                nameof(clip), clip, "Values are clipped at a number of standard deviations above 0 (infinity = never).");
        ArgumentNullException.ThrowIfNull(rows);
        var channels = (int)rows.Shape.Channels;
        var positions = (int)rows.Shape.Positions;
        var count = (double)rows.Count * positions;
        var mean = new double[channels];
        var square = new double[channels];
        ForEach(rows.FeatureArray, positions, channels, (channel, value) => mean[channel] += value);
        for (var channel = 0; channel < channels; channel++) mean[channel] /= count;
        ForEach(
            rows.FeatureArray,
            positions,
            channels,
            (channel, value) => square[channel] += (value - mean[channel]) * (value - mean[channel]));
        return new Standardization(
            Array.ConvertAll(mean, value => (float)value),
            [.. square.Select((sum, channel) => Deviation(Math.Sqrt(sum / count), mean[channel]))],
            clip);

        // What rounding leaves of a constant is not a deviation.
        static float Deviation(double deviation, double mean) => deviation <= 1e-7 * Math.Abs(mean) ? 0 : (float)deviation;
    }

    /// <summary>The rows with every channel standardized; targets and weights stay.</summary>
    public TrainingData Apply(TrainingData rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var channels = (int)rows.Shape.Channels;
        var positions = (int)rows.Shape.Positions;
        if (channels != Mean.Count)
            throw new ArgumentException(
                $"The rows have {channels} channels, but the standardization was made for {Mean.Count}.", nameof(rows));
        var mean = Mean.ToArray();
        var scale = StandardDeviation.Select(deviation => deviation > 0 ? 1 / deviation : 0).ToArray();
        var (lowest, highest) = (Bound(mean, -Clip), Bound(mean, Clip));
        var features = new float[rows.FeatureArray.Length];
        for (var i = 0; i < features.Length; i++)
        {
            var channel = i / positions % channels;
            features[i] = (Math.Clamp(rows.FeatureArray[i], lowest[channel], highest[channel]) - mean[channel]) * scale[channel];
        }

        return new TrainingData(rows.Shape, rows.Outputs, features, rows.TargetArray, rows.WeightArray);
    }

    /// <summary>
    /// Emits the bounds as Max and Min nodes and the standardization as a BatchNormalization node. A constant channel has gamma 0, so that
    /// no new value of it can matter.
    /// </summary>
    /// <remarks>
    /// (x−μ)/σ written as a·x + b loses as many digits as μ/σ has: of a year, 2008 ± 1.3, three. Where a channel lies that far from 0, the
    /// mean is taken away by a node of its own, which is exact for neighbouring numbers and stays where it is; the rest folds as ever.
    /// </remarks>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The rows, <c>[N, C, …]</c>.</param>
    /// <param name="positionAxes">The axes behind the channels: 0 for features, 1 for sequences, 2 for images.</param>
    internal Value Emit(GraphBuilder nodes, Value x, int positionAxes)
    {
        using var scope = nodes.Scope("standardize");
        long channels = Mean.Count;
        long[] shape = [channels, .. Enumerable.Repeat(1L, positionAxes)];
        var variance = StandardDeviation.Select(deviation => deviation > 0 ? (float)((double)deviation * deviation) : 1).ToArray();
        var gamma = StandardDeviation.Select(deviation => deviation > 0 ? 1f : 0f).ToArray();
        var mean = Mean.ToArray();
        if (LiesFarFromZero)
        {
            x = nodes.Named("centered", "Sub", [x, nodes.Initializer(TensorData.Create("mean", mean, shape))]);
            mean = new float[channels];
        }

        if (float.IsFinite(Clip))
        {
            // In front of the node, in the input's unit: behind it, they would keep it from folding into the first layer.
            x = nodes.Named("atLeast", "Max", [x, nodes.Initializer(TensorData.Create("lowest", Bound(mean, -Clip), shape))]);
            x = nodes.Named("atMost", "Min", [x, nodes.Initializer(TensorData.Create("highest", Bound(mean, Clip), shape))]);
        }

        return nodes.Named("y", "BatchNormalization", [
            x,
            nodes.Initializer(TensorData.Create("gamma", gamma, channels)),
            nodes.Initializer(TensorData.Create("beta", new float[channels], channels)),
            nodes.Initializer(TensorData.Create("mean", mean, channels)),
            nodes.Initializer(TensorData.Create("variance", variance, channels)),
        ], ("epsilon", 0f));
    }

    // Beyond 16 standard deviations more than one digit would be lost.
    private bool LiesFarFromZero =>
        Mean.Zip(StandardDeviation, (mean, deviation) => deviation > 0 && Math.Abs(mean) > 16 * deviation).Any(far => far);

    // The bounds of a constant channel do not matter, but 0 times infinity would be NaN.
    private float[] Bound(float[] mean, float deviations) =>
    [
        .. mean.Zip(
            StandardDeviation,
            (center, deviation) => deviation > 0 ? (float)(center + ((double)deviations * deviation)) : center),
    ];

    private static void ForEach(float[] values, int positions, int channels, Action<int, double> visit)
    {
        for (var i = 0; i < values.Length; i++) visit(i / positions % channels, values[i]);
    }
}

using System.Numerics;
using System.Numerics.Tensors;
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
    IReadOnlyList<double> Mean, IReadOnlyList<double> StandardDeviation, float Clip = float.PositiveInfinity)
{
    // Channels beyond are brought nearer to 1 first: in float32 their sums, or what they are divided by, would be 0 or infinite.
    private const double Least = 1e-30, Most = 1e30;

    // A power of two changes no digit.
    private const float Step = 1L << 62;

    /// <summary>Measures mean and standard deviation in float64, in two passes.</summary>
    /// <param name="rows">The training rows.</param>
    /// <param name="clip">How many standard deviations from its mean a value may be; above 0, infinity (the default) = no bound.</param>
    /// <param name="ranks">The ranks whose rows are measured together; null (the default) = there is but this one.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bound is not above 0.</exception>
    public static Standardization Fit(TrainingData rows, float clip = float.PositiveInfinity, Communicator? ranks = null)
    {
        if (!(clip > 0))
            throw new ArgumentOutOfRangeException(
                nameof(clip), clip, "Values are clipped at a number of standard deviations above 0 (infinity = never).");
        ArgumentNullException.ThrowIfNull(rows);
        var channels = (int)rows.Shape.Channels;
        var positions = (int)rows.Shape.Positions;
        var count = (double)rows.Count * positions;
        var (mean, square) = (new double[channels], new double[channels]);
        var (kept, least, most) = (new long[channels], new float[channels], new float[channels]);
        Array.Fill(least, float.PositiveInfinity);
        Array.Fill(most, float.NegativeInfinity);
        rows.FeatureRows.Visit((_, values, slots) =>
        {
            if (positions == 1 && slots.IsEmpty && values.Length == channels)
            {
                Add(values, mean);
                TensorPrimitives.Min(least, values, least);
                TensorPrimitives.Max(most, values, most);
                return;
            }

            for (var i = 0; i < values.Length; i++)
            {
                var channel = (slots.IsEmpty ? i : slots[i]) / positions;
                mean[channel] += values[i];
                kept[channel]++;
                (least[channel], most[channel]) = (Math.Min(least[channel], values[i]), Math.Max(most[channel], values[i]));
            }
        });
        if (ranks is not null)
        {
            count = ranks.Sum([count])[0];
            mean = ranks.Sum(mean);
            foreach (var lowest in ranks.AllGather<float>(least)) TensorPrimitives.Min(least, lowest, least);
            foreach (var highest in ranks.AllGather<float>(most)) TensorPrimitives.Max(most, highest, most);
        }

        for (var channel = 0; channel < channels; channel++) mean[channel] /= count;
        rows.FeatureRows.Visit((_, values, slots) =>
        {
            if (positions == 1 && slots.IsEmpty && values.Length == channels)
            {
                AddSquares(values, mean, square);
                return;
            }

            for (var i = 0; i < values.Length; i++)
            {
                var channel = (slots.IsEmpty ? i : slots[i]) / positions;
                square[channel] += (values[i] - mean[channel]) * (values[i] - mean[channel]);
            }
        });
        if (!rows.FeatureRows.IsSparse) Array.Fill(kept, (long)rows.Count * positions);
        if (ranks is not null)
        {
            square = ranks.Sum(square);
            kept = Array.ConvertAll(ranks.Sum(Array.ConvertAll(kept, value => (double)value)), value => (long)value);
        }

        var deviations = new double[channels];
        for (var channel = 0; channel < channels; channel++)
        {
            // Values that are not kept are zeros.
            var zeros = count - kept[channel];
            var isConstant = kept[channel] == 0 || (least[channel] == most[channel] && (zeros == 0 || least[channel] == 0));
            var sum = square[channel] + (zeros * mean[channel] * mean[channel]);
            deviations[channel] = isConstant ? 0 : Math.Sqrt(sum / count);
        }

        return new Standardization(mean, deviations, clip);
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
        var (unit, mean, deviation) = InFloat32();
        var scale = Array.ConvertAll(deviation, value => value > 0 ? 1 / value : 0);
        var (lowest, highest) = (Bound(mean, deviation, -Clip), Bound(mean, deviation, Clip));
        return rows.With(rows.FeatureRows.Standardize(new ChannelMap(positions, unit, lowest, highest, mean, scale)));
    }

    /// <summary>
    /// Emits the bounds as Max and Min nodes and the standardization as a BatchNormalization node. A constant channel has gamma 0, so that
    /// no new value of it can matter.
    /// </summary>
    /// <remarks>
    /// (x−μ)/σ written as a·x + b loses as many digits as μ/σ has: of a year, 2008 ± 1.3, three. Where a channel lies that far from 0, the
    /// mean is taken away by a node of its own, which is exact for neighbouring numbers and stays where it is; the rest folds as ever.
    /// Where σ² is beyond float32, 1/σ is gamma and the variance 1.
    /// </remarks>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The rows, <c>[N, C, …]</c>.</param>
    /// <param name="positionAxes">The axes behind the channels: 0 for features, 1 for sequences, 2 for images.</param>
    internal Value Emit(GraphBuilder nodes, Value x, int positionAxes)
    {
        using var scope = nodes.Scope("standardize");
        long channels = Mean.Count;
        long[] shape = [channels, .. Enumerable.Repeat(1L, positionAxes)];
        var (unit, mean, deviation) = InFloat32();
        var variance = Array.ConvertAll(deviation, value => HasSquare(value) ? (float)((double)value * value) : 1);
        var gamma = Array.ConvertAll(deviation, value => value == 0 ? 0 : HasSquare(value) ? 1 : 1 / value);
        if (Array.Exists(unit, one => one != 1))
            x = nodes.Named("brought", "Mul", [x, nodes.Initializer(TensorData.Create("unit", unit, shape))]);
        if (LiesFarFromZero)
        {
            x = nodes.Named("centered", "Sub", [x, nodes.Initializer(TensorData.Create("mean", mean, shape))]);
            mean = new float[channels];
        }

        if (float.IsFinite(Clip))
        {
            // In front of the node, in the input's unit: behind it, they would keep it from folding into the first layer.
            var (lowest, highest) = (Bound(mean, deviation, -Clip), Bound(mean, deviation, Clip));
            x = nodes.Named("atLeast", "Max", [x, nodes.Initializer(TensorData.Create("lowest", lowest, shape))]);
            x = nodes.Named("atMost", "Min", [x, nodes.Initializer(TensorData.Create("highest", highest, shape))]);
        }

        return nodes.Named("y", "BatchNormalization", [
            x,
            nodes.Initializer(TensorData.Create("gamma", gamma, channels)),
            nodes.Initializer(TensorData.Create("beta", new float[channels], channels)),
            nodes.Initializer(TensorData.Create("mean", mean, channels)),
            nodes.Initializer(TensorData.Create("variance", variance, channels)),
        ], ("epsilon", 0f));
    }

    // Channel by channel: as many sums side by side as there is room for change none of them.
    private static void Add(ReadOnlySpan<float> values, Span<double> sums)
    {
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(values[i..]), out var low, out var high);
            var next = i + Vector<double>.Count;
            (new Vector<double>(sums[i..]) + low).CopyTo(sums[i..]);
            (new Vector<double>(sums[next..]) + high).CopyTo(sums[next..]);
        }

        for (; i < values.Length; i++) sums[i] += values[i];
    }

    private static void AddSquares(ReadOnlySpan<float> values, ReadOnlySpan<double> mean, Span<double> sums)
    {
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(values[i..]), out var low, out var high);
            var next = i + Vector<double>.Count;
            low -= new Vector<double>(mean[i..]);
            high -= new Vector<double>(mean[next..]);
            (new Vector<double>(sums[i..]) + (low * low)).CopyTo(sums[i..]);
            (new Vector<double>(sums[next..]) + (high * high)).CopyTo(sums[next..]);
        }

        for (; i < values.Length; i++) sums[i] += (values[i] - mean[i]) * (values[i] - mean[i]);
    }

    // Beyond 16 standard deviations more than one digit would be lost.
    private bool LiesFarFromZero =>
        Mean.Zip(StandardDeviation, (mean, deviation) => deviation > 0 && Math.Abs(mean) > 16 * deviation).Any(far => far);

    private static bool HasSquare(float deviation) => deviation is > 1e-15f and < 1e15f;

    // What each channel is multiplied with, and its mean and standard deviation then.
    private (float[] Unit, float[] Mean, float[] Deviation) InFloat32()
    {
        var (unit, mean, deviation) = (new float[Mean.Count], new float[Mean.Count], new float[Mean.Count]);
        for (var channel = 0; channel < unit.Length; channel++)
        {
            // Values may be far from the mean, so that their sum with it must not overflow either.
            unit[channel] = StandardDeviation[channel] switch
            {
                0 => 1,
                < Least => Step,
                _ when Math.Abs(Mean[channel]) + StandardDeviation[channel] > Most => 1 / Step,
                _ => 1,
            };
            mean[channel] = (float)(Mean[channel] * unit[channel]);
            deviation[channel] = (float)(StandardDeviation[channel] * unit[channel]);
        }

        return (unit, mean, deviation);
    }

    // The bounds of a constant channel do not matter, but 0 times infinity would be NaN.
    private static float[] Bound(float[] mean, float[] deviation, float deviations) =>
        [.. mean.Zip(deviation, (center, one) => one > 0 ? (float)(center + ((double)deviations * one)) : center)];
}

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Shifts and scales each channel of the input to mean 0 and variance 1 over the training rows. It is exported as a BatchNormalization node
/// in front of the network, which folds into the first layer like any other.
/// </summary>
/// <param name="Mean">The mean of each channel, <c>[C]</c>.</param>
/// <param name="StandardDeviation">The standard deviation of each channel, <c>[C]</c>; 0 for a constant one, whose values become 0.</param>
public sealed record Standardization(IReadOnlyList<float> Mean, IReadOnlyList<float> StandardDeviation)
{
    /// <summary>Measures mean and standard deviation in float64, in two passes.</summary>
    public static Standardization Fit(LabeledRows rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var channels = (int)rows.Shape.Channels;
        var positions = (int)rows.Shape.Positions;
        var count = (double)rows.Count * positions;
        var mean = new double[channels];
        var square = new double[channels];
        ForEach(rows.Features, positions, channels, (channel, value) => mean[channel] += value);
        for (var channel = 0; channel < channels; channel++) mean[channel] /= count;
        ForEach(rows.Features, positions, channels, (channel, value) => square[channel] += (value - mean[channel]) * (value - mean[channel]));
        return new Standardization(
            Array.ConvertAll(mean, value => (float)value),
            [.. square.Select((sum, channel) => Deviation(Math.Sqrt(sum / count), mean[channel]))]);

        // What rounding leaves of a constant is not a deviation.
        static float Deviation(double deviation, double mean) => deviation <= 1e-7 * Math.Abs(mean) ? 0 : (float)deviation;
    }

    /// <summary>The rows with every channel standardized; targets and weights stay.</summary>
    public LabeledRows Apply(LabeledRows rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var channels = (int)rows.Shape.Channels;
        var positions = (int)rows.Shape.Positions;
        if (channels != Mean.Count)
            throw new ArgumentException($"The rows have {channels} channels, but the standardization was made for {Mean.Count}.", nameof(rows));
        var mean = Mean.ToArray();
        var scale = StandardDeviation.Select(deviation => deviation > 0 ? 1 / deviation : 0).ToArray();
        var features = new float[rows.Features.Length];
        for (var i = 0; i < features.Length; i++)
        {
            var channel = i / positions % channels;
            features[i] = (rows.Features[i] - mean[channel]) * scale[channel];
        }

        return new LabeledRows(rows.Shape, rows.Outputs, features, rows.Targets, rows.Weights);
    }

    /// <summary>Emits the standardization as a BatchNormalization node. A constant channel has gamma 0, so that no new value of it can matter.</summary>
    internal Value Emit(GraphBuilder nodes, Value x)
    {
        using var scope = nodes.Scope("standardize");
        long channels = Mean.Count;
        var variance = StandardDeviation.Select(deviation => deviation > 0 ? (double)deviation * deviation : 1).Select(value => (float)value).ToArray();
        var gamma = StandardDeviation.Select(deviation => deviation > 0 ? 1f : 0f).ToArray();
        return nodes.Named("y", "BatchNormalization", [
            x,
            nodes.Initializer(TensorData.Create("gamma", gamma, channels)),
            nodes.Initializer(TensorData.Create("beta", new float[channels], channels)),
            nodes.Initializer(TensorData.Create("mean", Mean.ToArray(), channels)),
            nodes.Initializer(TensorData.Create("variance", variance, channels)),
        ], ("epsilon", 0f));
    }

    private static void ForEach(float[] values, int positions, int channels, Action<int, double> visit)
    {
        for (var i = 0; i < values.Length; i++) visit(i / positions % channels, values[i]);
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm;

/// <summary>What goes into an exported model besides the network.</summary>
public sealed record NetworkExportOptions
{
    /// <summary>The version of the default operator set. Default: 17.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 9 or above 21.</exception>
    public int Opset
    {
        get;
        init => field = value is >= 9 and <= 21
            ? value
            : throw new ArgumentOutOfRangeException(nameof(Opset), value, "Networks are exported in the operator sets 9 to 21.");
    } = GraphBuilder.DefaultOpset;

    /// <summary>Further metadata; see <see cref="ModelMetadata"/> for the keys that the tool understands.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// The largest difference, in relation to the scale of an output, that folding may make. Default: 1e-5. A network that is itself
    /// steeper than that (group normalization of two values keeps hardly more than which is the larger) may differ by up to 8 times what a
    /// change of the last digit in its rows does (<see cref="RoundingNoise"/>), but by no more than 100 times the
    /// tolerance.
    /// </summary>
    public double Tolerance { get; init; } = 1e-5;

    /// <summary>The precision of the model to deploy. Default: float32.</summary>
    public ModelPrecision Precision { get; init; } = ModelPrecision.Float32;

    /// <summary>
    /// How much worse the network may become with fewer bits: points of accuracy or AUC, or the part by which the RMSE grows. Default:
    /// 0.01.
    /// </summary>
    public double AllowedMetricLoss { get; init; } = MetricComparison.DefaultAllowedLoss;
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm;

/// <summary>A trained network as ONNX, with its batch normalizations and without.</summary>
public sealed class NetworkExport
{
    internal NetworkExport(
        OnnxModel unfolded,
        OnnxModel folded,
        FoldResult folding,
        ComparisonResult verification,
        ReducedNetwork? reduced,
        double? roundingNoise)
    {
        (Unfolded, Folded, Folding, Verification) = (unfolded, folded, folding, verification);
        (Reduced, RoundingNoise) = (reduced, roundingNoise);
    }

    /// <summary>The network as it was trained, with BatchNormalization nodes.</summary>
    public OnnxModel Unfolded { get; }

    /// <summary>The same function without them.</summary>
    public OnnxModel Folded { get; }

    /// <summary>What became of each batch normalization.</summary>
    public FoldResult Folding { get; }

    /// <summary>How far the two differ on real rows.</summary>
    public ComparisonResult Verification { get; }

    /// <summary>What was done to need fewer bits, and how far the outputs are from those of the folded model; null for float32.</summary>
    public PrecisionCheck? Precision => Reduced?.Check;

    /// <summary>How good the folded model is on the rows, where the options ask for fewer bits; null for float32.</summary>
    public EpochMetrics? MetricsBefore => Reduced is null ? null : new EpochMetrics(double.NaN, Reduced.Metrics.Before);

    /// <summary>How good the model with fewer bits is on the same rows; null for float32.</summary>
    public EpochMetrics? MetricsAfter => Reduced is null ? null : new EpochMetrics(double.NaN, Reduced.Metrics.After);

    /// <summary>
    /// What a change of the last digit in the rows does to an output, in relation to its scale, where folding did more than the tolerance
    /// and that is why; null = folding stayed within the tolerance. See <see cref="NetworkExportOptions.Tolerance"/>.
    /// </summary>
    public double? RoundingNoise { get; }

    /// <summary>
    /// What ONNX Runtime's optimizations change in the model to deploy, on the first rows, as a sentence that names the one at fault;
    /// null = nothing that rounding would not explain.
    /// </summary>
    public string? ServedWarning { get; internal init; }

    /// <summary>The model to deploy: folded, in the precision that was asked for.</summary>
    public OnnxModel Deployed => Reduced?.Model ?? Folded;

    /// <summary>The folded one with fewer bits, where the options ask for it, and what that costs; otherwise null.</summary>
    internal ReducedNetwork? Reduced { get; }

    /// <summary>Writes the model to deploy; the file appears whole or not at all.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(string path) => Deployed.Save(path);

    /// <summary>Writes the model to deploy.</summary>
    /// <param name="stream">The stream; it stays open.</param>
    public void Save(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Deployed.Save(stream);
    }
}

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

    /// <summary>Stops between folding, comparing, giving fewer bits and measuring.</summary>
    public CancellationToken CancellationToken { get; init; }
}

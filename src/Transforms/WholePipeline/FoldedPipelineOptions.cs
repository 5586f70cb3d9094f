using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm;

/// <summary>What an exported pipeline gives, and how it is compared with the original.</summary>
public sealed record FoldedPipelineOptions
{
    /// <summary>
    /// The columns that the file gives; null (the default) = those of <c>Score</c>, <c>Probability</c> and <c>PredictedLabel</c> that the
    /// pipeline has.
    /// </summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The largest difference from ML.NET's predictions that is allowed, in relation to the largest magnitude of the column over all rows
    /// compared. Texts, booleans and whole numbers must be the same; only a <c>PredictedLabel</c> may differ where the scores that decide
    /// it lie closer together than that. Default: 1e-4.
    /// </summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>How many of the rows are compared, from the first on; null (the default) = all.</summary>
    public long? MaximumRows { get; init; }

    /// <summary>
    /// The version of ONNX's default operator set, from 12 to 17: graphs of ML.NET's own converter, and networks out of saved models, can
    /// be brought to later ones, but not to earlier ones. Default: 17.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 12 or above 17.</exception>
    public int Opset
    {
        get;
        init => field = value is >= OperatorSetUpgrade.Oldest and <= OperatorSetUpgrade.Newest
            ? value
            : throw new ArgumentOutOfRangeException(
                nameof(Opset),
                value,
                $"Pipelines are exported in the operator sets {OperatorSetUpgrade.Oldest} to {OperatorSetUpgrade.Newest}.");
    } = OperatorSetUpgrade.Newest;

    /// <summary>
    /// The precision of the file. With fewer bits than float32 has, the float32 file is compared with ML.NET's predictions by
    /// <see cref="Tolerance"/> first, and then the one with fewer bits with that. Default: float32, and the network's own precision for one
    /// that was trained for fewer bits.
    /// </summary>
    public ModelPrecision Precision { get; init; } = ModelPrecision.Float32;

    /// <summary>
    /// What fewer bits may cost. With <see cref="LabelColumnName"/>: points of accuracy or AUC, or the part by which the RMSE grows.
    /// Without: the share of rows whose <c>PredictedLabel</c> changes, which no accuracy can fall
    /// by more than; numbers may differ by <see cref="PrecisionCheck.DefaultTolerance"/>. Default: 0.01.
    /// </summary>
    public double AllowedMetricLoss { get; init; } = MetricComparison.DefaultAllowedLoss;

    /// <summary>
    /// With a <see cref="Precision"/>: the column of the data with the right answers, to judge the file by; null (the default) = there is
    /// none.
    /// </summary>
    public string? LabelColumnName { get; init; }

    /// <summary>Stops the comparison with an <see cref="OperationCanceledException"/>; nothing is written then.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Further metadata for the file; see <see cref="ModelMetadata"/> for the keys that are set anyway.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}

using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Figures;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>How <see cref="PrecisionCheck"/> compares a model with the one that it was made from.</summary>
public sealed record PrecisionCheckOptions
{
    /// <summary>
    /// The largest difference allowed, in relation to the scale of an output. Default: null, which means <see cref="PrecisionCheck.DefaultTolerance"/>;
    /// with labels, that only answers which are no longer numbers are refused.
    /// </summary>
    public double? Tolerance { get; init; }

    /// <summary>Whether the models are compared at all. Default: true.</summary>
    public bool Compare { get; init; } = true;

    /// <summary>Where both models are run to be compared. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>The output that labels are compared with; null (the default) = the last of real numbers.</summary>
    public string? LabeledOutput { get; init; }

    /// <summary>
    /// With labels: how much worse a figure may become; accuracies and AUC by this, RMSE in relation to itself. Without: the largest share of
    /// <see cref="PrecisionCheck.Changed"/>. Default: 0.01.
    /// </summary>
    public double Loss { get; init; } = FigureLoss.Default;
}

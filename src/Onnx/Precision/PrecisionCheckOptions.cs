using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>How <see cref="PrecisionCheck"/> compares a model with the one that it was made from.</summary>
public sealed record PrecisionCheckOptions
{
    /// <summary>
    /// The largest difference allowed, in relation to the scale of an output. Default: null, which means <see cref="PrecisionCheck.DefaultTolerance"/>;
    /// with <see cref="Labels"/>, that only answers which are no longer numbers are refused.
    /// </summary>
    public double? Tolerance { get; init; }

    /// <summary>Whether the models are compared at all. Default: true.</summary>
    public bool Compare { get; init; } = true;

    /// <summary>Where both models are run to be compared. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>The right answers for the inputs, by which both models are judged; null (the default) = there are none. They need inputs and <see cref="Compare"/>.</summary>
    internal RowLabels? Labels { get; init; }

    /// <summary>
    /// With <see cref="Labels"/>: how much worse a figure may become; see <see cref="MetricComparison"/>. Without: the largest share of
    /// <see cref="PrecisionCheck.Changed"/>. Default: 0.01.
    /// </summary>
    public double Loss { get; init; } = MetricComparison.DefaultAllowedLoss;
}

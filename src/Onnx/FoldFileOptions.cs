using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx;

/// <summary>How <see cref="FoldFileResult"/> folds and compares.</summary>
public sealed record FoldFileOptions
{
    /// <summary>How to fold.</summary>
    public FoldOptions Fold { get; init; } = new();

    /// <summary>Whether the models are compared. Default: true.</summary>
    public bool Compare { get; init; } = true;

    /// <summary>
    /// The largest difference in relation to the scale of an output; see <see cref="OutputDifference.LargestRelative"/>. Default: null,
    /// which means 1e-4, and 1e-2 for float16, 5e-2 for bfloat16.
    /// </summary>
    public double? Tolerance { get; init; }

    /// <summary>Where the models are compared. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// Rows to compare on; with labels, a model with fewer bits is judged by its figures. Default: null, they are generated. Ignored where
    /// nothing is compared and no bits are saved.
    /// </summary>
    public ModelInputs? Inputs { get; init; }

    /// <summary>The output that the labels are compared with; null (the default) = the last.</summary>
    public string? LabeledOutput { get; init; }

    /// <summary>With labels: how much worse a figure of the model with fewer bits may become. Default: 0.01.</summary>
    public double PrecisionLoss { get; init; } = MetricComparison.DefaultAllowedLoss;

    /// <summary>The precision of the model that is written. Default: float32, whatever the model has.</summary>
    public ModelPrecision Precision { get; init; } = ModelPrecision.Float32;

    /// <summary>
    /// The largest difference between the folded model and the one with fewer bits, in relation to the scale of an output. Default: null,
    /// see <see cref="PrecisionCheckOptions.Tolerance"/>.
    /// </summary>
    public double? PrecisionTolerance { get; init; }
}

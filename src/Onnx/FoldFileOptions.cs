using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx;

/// <summary>How a fold is proved.</summary>
public enum FoldProof
{
    /// <summary>
    /// By parts, and then both models as wholes in ONNX Runtime, the folded one also as it is served, with graph optimizations on. What
    /// serving changes is reported; it is no fault of the fold. A model that ONNX Runtime cannot run is proved by parts alone.
    /// </summary>
    Served,

    /// <summary>
    /// Each part of the graph that changed by itself, computed in float64 and in the model's own types. A fold that loses digits is
    /// declined, the others stay. The model is not run as a whole, so it may be of any size, and of any operators elsewhere.
    /// </summary>
    Parts,

    /// <summary>Not at all.</summary>
    None,
}

/// <summary>How <see cref="FoldFileResult"/> folds and compares.</summary>
public sealed record FoldFileOptions
{
    /// <summary>How to fold.</summary>
    public FoldOptions Fold { get; init; } = new();

    /// <summary>
    /// How the folded model is proved to be the same function. Default: null, which means <see cref="FoldProof.Served"/>, and
    /// <see cref="FoldProof.Parts"/> for models of more than 20,000 nodes, which ONNX Runtime takes minutes to load (unless
    /// <see cref="Inputs"/> or <see cref="Tolerance"/> ask for both as wholes).
    /// </summary>
    public FoldProof? Proof { get; init; }

    /// <summary>
    /// Where models are compared as wholes: a model that ONNX Runtime crashes on takes the process with it. Default: null, in this process.
    /// </summary>
    public ComparisonProcess? Process { get; init; }

    /// <summary>
    /// The error that a fold may bring, in relation to the largest value in a channel, where rounding did not bring as much before.
    /// Default: null, which means 1e-4, and 1e-2 for float16, 5e-2 for bfloat16, 1e-12 for float64. If it is given, both models as wholes
    /// are held to it too; see <see cref="OutputDifference.LargestRelative"/>.
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

    /// <summary>
    /// Called when another part of the work begins: what is done, how much of it has been, of how much in all; 0 = that is not known.
    /// </summary>
    internal Action<string, int, int>? Stage { get; init; }

    /// <summary>
    /// Ends the work with an <see cref="OperationCanceledException"/>, and nothing is written: at once while models are compared in a
    /// process of their own, otherwise between steps. Default: never.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }
}

using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx;

/// <summary>How <see cref="PrecisionCheck"/> compares a model with the one that it was made from.</summary>
public sealed record PrecisionCheckOptions
{
    /// <summary>
    /// The largest difference allowed, in relation to the scale of an output. Default: null, which means
    /// <see cref="PrecisionCheck.DefaultTolerance"/>; with labels, that only answers which are no longer numbers are refused.
    /// </summary>
    public double? Tolerance { get; init; }

    /// <summary>Whether the models are compared at all. Default: true.</summary>
    public bool Compare { get; init; } = true;

    /// <summary>Where both models are run to be compared. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>The output that labels are compared with; null (the default) = the last of real numbers.</summary>
    public string? LabeledOutput { get; init; }

    /// <summary>
    /// With labels: how much worse a figure may become; accuracies and AUC by this, RMSE in relation to itself. Without: the largest share
    /// of <see cref="PrecisionCheck.Changed"/>. Default: 0.01.
    /// </summary>
    public double Loss { get; init; } = MetricComparison.DefaultAllowedLoss;

    /// <summary>Stops before and after the model is reduced, and between two of the inputs that both are compared on.</summary>
    public CancellationToken CancellationToken { get; init; }
}

/// <summary>A model with fewer bits, and how far its answers are from those of the model that it was made from.</summary>
public sealed record PrecisionCheck
{
    private PrecisionCheck(
        PrecisionResult result,
        ComparisonResult? comparison,
        IReadOnlyDictionary<string, double> changed,
        LabeledComparison? labeled,
        double tolerance,
        double loss) =>
        (Result, Comparison, Changed, Labeled, Tolerance, AllowedLoss) = (result, comparison, changed, labeled, tolerance, loss);

    /// <summary>The model, and what was done to get there.</summary>
    public PrecisionResult Result { get; }

    /// <summary>How far the outputs of real numbers differ; null when they were not compared.</summary>
    public ComparisonResult? Comparison { get; }

    /// <summary>
    /// For each output of something else (labels: texts, whole numbers, Booleans) the share of its elements that differ. No accuracy can
    /// fall by more.
    /// </summary>
    public IReadOnlyDictionary<string, double> Changed { get; }

    /// <summary>How good both models are; null when no labels were given.</summary>
    internal LabeledComparison? Labeled { get; }

    /// <summary>The largest difference that is allowed, in relation to the scale of an output.</summary>
    public double Tolerance { get; }

    /// <summary>How much worse a figure may become, and, without labels, which share of <see cref="Changed"/> is allowed.</summary>
    public double AllowedLoss { get; }

    /// <summary>Whether differences and losses are within what is allowed, or were not asked for.</summary>
    public bool IsWithin => WhyRefused is null;

    /// <summary>Which output differs, or which figure is worse, by more than is allowed: a clause. Null when none is.</summary>
    public string? WhyRefused => Comparison is { Worst: { } worst } && !(worst.LargestRelative <= Tolerance)
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"the output '{worst.Output}' changes by {worst.LargestRelative:G3} of its scale, more than the tolerance {Tolerance:G3}")
        : Labeled is not null ? Labeled.Metrics.WhyTooLarge(AllowedLoss)
        : Changed.FirstOrDefault(output => !(output.Value <= AllowedLoss)) is { Key: { } name } changed
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"the output '{name}' changes in {changed.Value:P2} of its elements, more than the {AllowedLoss:P2} allowed")
        : null;

    /// <summary>
    /// The largest difference that is allowed when none is said, in relation to the scale of an output (see
    /// <see cref="OutputDifference.LargestRelative"/>): 0.01 for float16, 0.02 for float16 arithmetic, 0.1 for int8.
    /// </summary>
    public static double DefaultTolerance(ModelPrecision precision) => precision switch
    {
        ModelPrecision.Float32 => 0,
        ModelPrecision.Float16 => 0.01,
        ModelPrecision.Float16Arithmetic => 0.02,
        ModelPrecision.Int8 => 0.1,
        _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Unknown precision."),
    };

    /// <summary>
    /// Reduces a model and compares both: the given one as it is written, the reduced one with the graph optimizations that it will be
    /// served with. The differences go into the metadata of the reduced one.
    /// </summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="precision">The precision.</param>
    /// <param name="inputs">Rows, as real as possible, with the right answers where they are known; null to generate them.</param>
    /// <param name="options">What is compared where, and what is allowed; null = the defaults.</param>
    /// <exception cref="ArgumentException">There are no rows, or the labels do not fit them.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="InvalidModelException">The model is not valid, or ONNX Runtime refuses it.</exception>
    /// <exception cref="ModelRunException">A model fails on the inputs.</exception>
    /// <exception cref="NotSupportedException">The operator set is too old, or nothing in the model can have fewer bits.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static PrecisionCheck Run(
        OnnxModel model, ModelPrecision precision, ModelInputs? inputs = null, PrecisionCheckOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var rows = inputs?.For(model);
        options ??= new PrecisionCheckOptions();
        return Run(
            model.Proto, precision, rows?.Inputs, options,
            rows?.Labels is { } labels ? labels with { Output = options.LabeledOutput ?? labels.Output } : null);
    }

    /// <summary>The same for our own assemblies.</summary>
    internal static PrecisionCheck Run(
        ModelProto model,
        ModelPrecision precision,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs = null,
        PrecisionCheckOptions? options = null,
        RowLabels? labels = null)
    {
        options ??= new PrecisionCheckOptions();
        if (labels is not null && (inputs is null || !options.Compare))
            throw new ArgumentException("Labels belong to inputs, and models that are compared on them; give both or neither.");
        // Known at once, not after all the work.
        var judged = labels is null ? null : LabeledOutput.NameOf(model, labels);
        options.CancellationToken.ThrowIfCancellationRequested();
        var result = PrecisionReducer.Reduce(model, precision, inputs);
        options.CancellationToken.ThrowIfCancellationRequested();
        var (before, after) = (new List<HostTensor>(), new List<HostTensor>());
        var changes = new Dictionary<string, (long Different, long Total)>(StringComparer.Ordinal);
        ComparisonResult? comparison = null;
        if (options.Compare)
        {
            comparison = ModelComparison.CompareAsServed(model, result.Model.Proto, inputs, options.Device, (expected, actual) =>
            {
                options.CancellationToken.ThrowIfCancellationRequested();
                foreach (var (name, tensor) in expected.Where(output => !TensorData.IsReal((int)output.Value.Type)))
                {
                    var so = changes.GetValueOrDefault(name);
                    changes[name] = (so.Different + TensorDifference.Count(tensor, actual[name]), so.Total + tensor.Data.Length);
                }

                if (judged is null) return;
                before.Add(expected[judged]);
                after.Add(actual[judged]);
            });
            SetNumber(ModelMetadata.PrecisionAbsoluteDifference, comparison.LargestAbsolute);
            SetNumber(ModelMetadata.PrecisionRelativeDifference, comparison.LargestRelative);
        }

        var labeled = labels is null ? null : Judge(model, labels, before, after);
        var tolerance = options.Tolerance ?? (labeled is null ? DefaultTolerance(precision) : double.MaxValue);
        var changed = changes.ToDictionary(
            output => output.Key, output => output.Value.Different / (double)Math.Max(output.Value.Total, 1), StringComparer.Ordinal);
        return new PrecisionCheck(result, comparison, changed, labeled, tolerance, options.Loss);

        void SetNumber(string key, double value) =>
            ModelFile.SetMetadata(result.Model.Proto, key, value.ToString("R", CultureInfo.InvariantCulture));
    }

    private static LabeledComparison Judge(ModelProto model, RowLabels labels, List<HostTensor> before, List<HostTensor> after)
    {
        var output = LabeledOutput.Create(model, labels, before);
        var metrics = new MetricComparison(output.Measure(before), output.Measure(after));
        return new LabeledComparison(LabeledOutput.NameOf(model, labels), output.Rows, metrics);
    }
}

using System.Globalization;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>A model with fewer bits, and how far its answers are from those of the model that it was made from.</summary>
public sealed record PrecisionCheck
{
    private PrecisionCheck(PrecisionResult result, ComparisonResult? comparison, double tolerance) =>
        (Result, Comparison, Tolerance) = (result, comparison, tolerance);

    /// <summary>The model, and what was done to get there.</summary>
    public PrecisionResult Result { get; }

    /// <summary>How far both models differ; null when they were not compared.</summary>
    public ComparisonResult? Comparison { get; }

    /// <summary>The largest difference that is allowed, in relation to the scale of an output.</summary>
    public double Tolerance { get; }

    /// <summary>Whether the difference is within the tolerance, or was not asked for.</summary>
    public bool IsWithin => Comparison is null || Comparison.LargestRelative <= Tolerance;

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
    /// Reduces a model and compares both: the given one as it is written, the reduced one with the graph optimizations that it will be served with.
    /// The differences go into the metadata of the reduced one.
    /// </summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="precision">The precision.</param>
    /// <param name="inputs">Sets of inputs, as real as possible; null to generate them, see <see cref="InputGenerator"/>.</param>
    /// <param name="tolerance">The largest difference allowed; null for <see cref="DefaultTolerance"/>.</param>
    /// <param name="compare">Whether to compare at all.</param>
    /// <exception cref="InvalidModelException">The model is not valid, or ONNX Runtime refuses it.</exception>
    /// <exception cref="ModelRunException">A model fails on the inputs.</exception>
    /// <exception cref="NotSupportedException">The operator set is too old, or nothing in the model can have fewer bits.</exception>
    public static PrecisionCheck Run(
        ModelProto model,
        ModelPrecision precision,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs = null,
        double? tolerance = null,
        bool compare = true)
    {
        var result = PrecisionReducer.Reduce(model, precision, inputs);
        var comparison = compare ? ModelComparison.CompareAsServed(model, result.Model, inputs) : null;
        if (comparison is not null)
        {
            SetNumber(ModelMetadata.PrecisionAbsoluteDifference, comparison.LargestAbsolute);
            SetNumber(ModelMetadata.PrecisionRelativeDifference, comparison.LargestRelative);
        }

        return new PrecisionCheck(result, comparison, tolerance ?? DefaultTolerance(precision));

        void SetNumber(string key, double value) => ModelFile.SetMetadata(result.Model, key, value.ToString("R", CultureInfo.InvariantCulture));
    }
}

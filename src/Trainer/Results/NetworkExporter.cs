using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Trainer.Results;

/// <summary>Turns a trained network into the model to deploy: ONNX with batch normalizations, folded, compared on real rows.</summary>
internal static class NetworkExporter
{
    // Measured over networks with group normalization of two values: up to 2.4 times what the rows' last digit does.
    private const double RoundingsAllowed = 8;

    // And in no case more than this many times the tolerance.
    private const double SteepestTolerance = 100;

    /// <summary>Exports a network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="rows">Rows to compare the models on, as they go into the model (not standardized).</param>
    /// <param name="options">Operator set, metadata, precision and tolerances; null = the defaults.</param>
    /// <exception cref="ModelVerificationException">
    /// Folding changed an output (see <see cref="NetworkExportOptions.Tolerance"/>), or fewer bits changed a figure, by more than is
    /// allowed.
    /// </exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static NetworkExport Export(TrainedNetwork network, TrainingData rows, NetworkExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new NetworkExportOptions();
        var unfolded = network.ToOnnx(options.Opset);
        ModelFile.SetMetadata(unfolded, ModelMetadata.Statistics, network.Statistics.Description);
        if (network.TargetOffset != 0) SetNumber(unfolded, ModelMetadata.LabelOffset, network.TargetOffset);
        foreach (var (key, value) in options.Metadata) ModelFile.SetMetadata(unfolded, key, value);

        var folding = BatchNormFolder.Fold(unfolded);
        var folded = folding.Model.Proto;
        var inputs = new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.FeatureArray, [rows.Count, .. rows.Shape.Sizes]),
        };
        var comparison = ModelComparison.Compare(unfolded, folded, [inputs]);
        var noise = RequireWithin(options.Tolerance, comparison, unfolded, inputs);
        SetNumber(folded, ModelMetadata.LargestAbsoluteDifference, comparison.LargestAbsolute);
        SetNumber(folded, ModelMetadata.LargestRelativeDifference, comparison.LargestRelative);
        SetNumber(folded, ModelMetadata.VerifiedRows, rows.Count);
        var reduced = options.Precision == ModelPrecision.Float32
            ? null
            : NetworkReducer.Reduce(network, folded, rows, options.Precision, options.AllowedMetricLoss);
        return new NetworkExport(new OnnxModel(unfolded), folding.Model, folding, comparison, reduced, noise);
    }

    // A network can be so steep that no two ways to compute it agree: what a last digit in its rows does, folding may do several times
    // over.
    private static double? RequireWithin(
        double tolerance, ComparisonResult comparison, ModelProto unfolded, Dictionary<string, HostTensor> inputs)
    {
        if (comparison.Worst is not { } worst || worst.LargestRelative <= tolerance) return null;
        var noise = RoundingNoise.Measure(unfolded, inputs).LargestRelative;
        if (worst.LargestRelative <= Math.Min(RoundingsAllowed * noise, SteepestTolerance * tolerance)) return noise;
        throw new ModelVerificationException(string.Create(
            CultureInfo.InvariantCulture,
            $"Folding changed the output '{worst.Output}' by {worst.LargestRelative:E1} of its scale; at most {tolerance:E1} is allowed, "
            + $"and what a last digit in the rows does is {noise:E1}. Nothing was written."));
    }

    private static void SetNumber(ModelProto model, string key, double value) =>
        ModelFile.SetMetadata(model, key, value.ToString("R", CultureInfo.InvariantCulture));
}

using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Trainer;

/// <summary>Turns a trained network into the model to deploy: ONNX with batch normalizations, folded, compared on real rows.</summary>
public static class NetworkExporter
{
    /// <summary>Exports a network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="rows">Rows to compare the models on, as they go into the model (not standardized).</param>
    /// <param name="options">Operator set, metadata, precision and tolerances; null = the defaults.</param>
    /// <exception cref="VerificationException">Folding changed an output, or fewer bits changed a figure, by more than is allowed.</exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static ExportedNetwork Export(TrainedNetwork network, LabeledRows rows, ExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new ExportOptions();
        var unfolded = network.ToOnnx(options.Opset);
        ModelFile.SetMetadata(unfolded, ModelMetadata.Statistics, network.Statistics.Description);
        foreach (var (key, value) in options.Metadata) ModelFile.SetMetadata(unfolded, key, value);

        var folding = BatchNormFolder.Fold(unfolded);
        var folded = folding.Model;
        var inputs = new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.Features, [rows.Count, .. rows.Shape.Sizes]),
        };
        var comparison = ModelComparison.Compare(unfolded, folded, [inputs]);
        if (comparison.Worst is { } worst && !(worst.LargestRelative <= options.Tolerance))
            throw new VerificationException(string.Create(
                CultureInfo.InvariantCulture,
                $"Folding changed the output '{worst.Output}' by {worst.LargestRelative:E1} of its scale; at most {options.Tolerance:E1} is allowed. Nothing was written."));

        SetNumber(folded, ModelMetadata.LargestAbsoluteDifference, comparison.LargestAbsolute);
        SetNumber(folded, ModelMetadata.LargestRelativeDifference, comparison.LargestRelative);
        SetNumber(folded, ModelMetadata.VerifiedRows, rows.Count);
        var reduced = options.Precision == ModelPrecision.Float32
            ? null
            : NetworkReducer.Reduce(network, folded, rows, options.Precision, options.PrecisionLoss);
        return new ExportedNetwork(unfolded, folded, folding, comparison, reduced);
    }

    private static void SetNumber(ModelProto model, string key, double value) =>
        ModelFile.SetMetadata(model, key, value.ToString("R", CultureInfo.InvariantCulture));
}

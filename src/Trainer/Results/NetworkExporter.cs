using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
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

    private const int NoiseDirections = 4;

    // What an optimization does wrong, it does to all rows.
    private const int ServedRows = 256;

    // Of float32 and of fewer bits, where a last digit may round to another number.
    private const double ServedTolerance = 1e-4;
    private const double ReducedTolerance = 1e-2;

    /// <summary>Exports a network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="rows">Rows to compare the models on, as they go into the model (not standardized).</param>
    /// <param name="options">Operator set, metadata, precision and tolerances; null = the defaults.</param>
    /// <exception cref="ModelVerificationException">
    /// Folding changed an output (see <see cref="NetworkExportOptions.Tolerance"/>), or fewer bits changed a figure, by more than is
    /// allowed.
    /// </exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static NetworkExport Export(TrainedNetwork network, TrainingData rows, NetworkExportOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new NetworkExportOptions();
        var unfolded = network.ToOnnx(options.Opset);
        ModelFile.SetMetadata(unfolded, ModelMetadata.Statistics, network.Statistics.Description);
        ModelFile.SetMetadata(unfolded, ModelMetadata.Threads, network.Threads.ToString(CultureInfo.InvariantCulture));
        if (network.TargetOffset != 0) SetNumber(unfolded, ModelMetadata.LabelOffset, network.TargetOffset);
        foreach (var (key, value) in options.Metadata) ModelFile.SetMetadata(unfolded, key, value);

        var cancellation = options.CancellationToken;
        cancellation.ThrowIfCancellationRequested();
        var folding = BatchNormFolder.Fold(unfolded);
        cancellation.ThrowIfCancellationRequested();
        var folded = folding.Model.Proto;
        var inputs = Features(rows);
        var comparison = ModelComparison.Compare(unfolded, folded, [inputs]);
        var noise = RequireWithin(options.Tolerance, comparison, unfolded, inputs);
        SetNumber(folded, ModelMetadata.LargestAbsoluteDifference, comparison.LargestAbsolute);
        SetNumber(folded, ModelMetadata.LargestRelativeDifference, comparison.LargestRelative);
        SetNumber(folded, ModelMetadata.VerifiedRows, rows.Count);
        cancellation.ThrowIfCancellationRequested();
        var reduced = options.Precision == ModelPrecision.Float32
            ? null
            : NetworkReducer.Reduce(network, folded, rows, options.Precision, options.AllowedMetricLoss, cancellation);
        cancellation.ThrowIfCancellationRequested();
        var deployed = reduced?.Model.Proto ?? folded;
        return new NetworkExport(new OnnxModel(unfolded), folding.Model, folding, comparison, reduced, noise)
        {
            ServedWarning = ServedComparison.OfModel(
                deployed, Features(rows.First(ServedRows)), reduced is null ? ServedTolerance : ReducedTolerance).Warning,
        };
    }

    /// <summary>Rows as the input of a network's model.</summary>
    public static Dictionary<string, HostTensor> Features(TrainingData rows) =>
        new() { [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.FeatureArray, [rows.Count, .. rows.Shape.Sizes]) };

    // A network can be so steep that no two ways to compute it agree: what a last digit in its rows does, folding may do several times
    // over.
    private static double? RequireWithin(
        double tolerance, ComparisonResult comparison, ModelProto unfolded, Dictionary<string, HostTensor> inputs)
    {
        if (comparison.Worst is not { } worst || worst.LargestRelative <= tolerance) return null;
        // One direction may miss the rows in which a last digit decides.
        using var session = ModelComparison.Open(unfolded);
        var outputs = session.Run(inputs);
        var noise = Enumerable.Range(0, NoiseDirections).Max(seed => RoundingNoise.Measure(session, inputs, outputs, seed).LargestRelative);
        if (worst.LargestRelative <= Math.Min(RoundingsAllowed * noise, SteepestTolerance * tolerance)) return noise;
        throw new ModelVerificationException(string.Create(
            CultureInfo.InvariantCulture,
            $"Folding changed the output '{worst.Output}' by {worst.LargestRelative:E1} of its scale; at most {tolerance:E1} is allowed, "
            + $"and what a last digit in the rows does is {noise:E1}. Nothing was written."));
    }

    private static void SetNumber(ModelProto model, string key, double value) =>
        ModelFile.SetMetadata(model, key, value.ToString("R", CultureInfo.InvariantCulture));
}

/// <summary>
/// Gives a trained network fewer bits, and refuses when its figures on real rows become worse by more than is allowed.
/// </summary>
internal static class NetworkReducer
{
    /// <summary>Makes a model of another precision from a folded one.</summary>
    /// <param name="network">The network, for its loss function and its figures.</param>
    /// <param name="folded">The network as ONNX, folded; it is left as it is.</param>
    /// <param name="rows">
    /// Rows with labels, as they go into the model: the network's values are looked at on them, and both models are measured.
    /// </param>
    /// <param name="precision">The precision.</param>
    /// <param name="allowedLoss">The largest loss of a figure; see <see cref="RequireWithin"/>. Default: 0.01.</param>
    /// <param name="cancellationToken">Stops between the steps.</param>
    /// <exception cref="ModelVerificationException">The figures become worse by more than is allowed.</exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static ReducedNetwork Reduce(
        TrainedNetwork network,
        ModelProto folded,
        TrainingData rows,
        ModelPrecision precision,
        double allowedLoss = MetricComparison.DefaultAllowedLoss,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(folded);
        ArgumentNullException.ThrowIfNull(rows);
        rows = rows.CountedFrom(network.TargetOffset);
        var inputs = NetworkExporter.Features(rows);
        // Judged by the figures: outputs may differ as much as they like where that changes nothing, as long as they are numbers.
        var check = PrecisionCheck.Run(
            folded, precision, [inputs],
            new PrecisionCheckOptions { Tolerance = double.MaxValue, CancellationToken = cancellationToken });
        if (!check.IsWithin)
            throw new ModelVerificationException(
                $"With {PrecisionNames.NameOf(precision)}, the output '{check.Comparison!.Worst!.Output}' is no longer a number in some of "
                + $"the {rows.Count} rows; nothing was written.");
        var reduced = new ReducedNetwork(check, rows.Count, new MetricComparison(Measure(folded), Measure(check.Result.Model.Proto)));
        RequireWithin(precision, reduced.Metrics, allowedLoss);
        return reduced;

        MetricValues Measure(ModelProto model) => ModelEvaluation.Of(model, network.Loss, rows).Metrics;
    }

    /// <summary>Refuses a model that has become worse by more than is allowed; see <see cref="MetricComparison.WhyTooLarge"/>.</summary>
    /// <param name="precision">Its precision.</param>
    /// <param name="metrics">The figures of the float32 model, and those of the model with fewer bits on the same rows.</param>
    /// <param name="allowedLoss">The largest loss.</param>
    /// <exception cref="ModelVerificationException">One is larger; the message names the figure and both of its values.</exception>
    public static void RequireWithin(ModelPrecision precision, MetricComparison metrics, double allowedLoss)
    {
        if (metrics.WhyTooLarge(allowedLoss) is { } reason)
            throw new ModelVerificationException($"With {PrecisionNames.NameOf(precision)}, {reason}; nothing was written.");
    }
}

/// <summary>A network with fewer bits, and what that costs on real rows.</summary>
/// <param name="Check">The model, what was done, and how far its outputs differ.</param>
/// <param name="Rows">How many rows both models were compared on.</param>
/// <param name="Metrics">The figures of the float32 model on those rows, and those of the model with fewer bits.</param>
internal sealed record ReducedNetwork(PrecisionCheck Check, int Rows, MetricComparison Metrics)
{
    /// <summary>The model.</summary>
    public OnnxModel Model => Check.Result.Model;

    /// <summary>Its precision.</summary>
    public ModelPrecision Precision => Check.Result.Precision;
}

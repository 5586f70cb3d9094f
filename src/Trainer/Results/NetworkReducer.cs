using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer.Results;

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
    /// <exception cref="ModelVerificationException">The figures become worse by more than is allowed.</exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static ReducedNetwork Reduce(
        TrainedNetwork network,
        ModelProto folded,
        TrainingData rows,
        ModelPrecision precision,
        double allowedLoss = MetricComparison.DefaultAllowedLoss)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(folded);
        ArgumentNullException.ThrowIfNull(rows);
        rows = rows.CountedFrom(network.TargetOffset);
        var inputs = new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.FeatureArray, [rows.Count, .. rows.Shape.Sizes]),
        };
        // Judged by the figures: outputs may differ as much as they like where that changes nothing, as long as they are numbers.
        var check = PrecisionCheck.Run(folded, precision, [inputs], new PrecisionCheckOptions { Tolerance = double.MaxValue });
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

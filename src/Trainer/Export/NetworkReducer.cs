using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Figures;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Gives a trained network fewer bits, and refuses when its figures on real rows become worse by more than is allowed.
/// </summary>
internal static class NetworkReducer
{
    /// <summary>Makes a model of another precision from a folded one.</summary>
    /// <param name="network">The network, for its loss function and its figures.</param>
    /// <param name="folded">The network as ONNX, folded; it is left as it is.</param>
    /// <param name="rows">Rows with labels, as they go into the model: the network's values are looked at on them, and both models are measured.</param>
    /// <param name="precision">The precision.</param>
    /// <param name="allowedLoss">The largest loss of a figure; see <see cref="RequireWithin"/>. Default: 0.01.</param>
    /// <exception cref="VerificationException">The figures become worse by more than is allowed.</exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static ReducedNetwork Reduce(
        TrainedNetwork network, ModelProto folded, LabeledRows rows, ModelPrecision precision, double allowedLoss = FigureLoss.Default)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(folded);
        ArgumentNullException.ThrowIfNull(rows);
        var inputs = new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.Features, [rows.Count, .. rows.Shape.Sizes]),
        };
        // Judged by the figures: outputs may differ as much as they like where that changes nothing, as long as they are numbers.
        var check = PrecisionCheck.Run(folded, precision, [inputs], new PrecisionCheckOptions { Tolerance = double.MaxValue });
        if (!check.IsWithin)
            throw new VerificationException($"With {PrecisionNames.NameOf(precision)}, the output '{check.Comparison!.Worst!.Output}' is no longer a number in some of the {rows.Count} rows; nothing was written.");
        var reduced = new ReducedNetwork(check, rows.Count, Measure(network, folded, rows), Measure(network, check.Result.Model.Proto, rows));
        RequireWithin(precision, reduced.Before, reduced.After, allowedLoss);
        return reduced;
    }

    /// <summary>Refuses a model whose accuracy, macro-accuracy, AUC or RMSE has become worse by more than is allowed.</summary>
    /// <param name="precision">Its precision.</param>
    /// <param name="before">The figures of the float32 model.</param>
    /// <param name="after">The figures of the model with fewer bits, on the same rows.</param>
    /// <param name="allowedLoss">The largest value that <see cref="FigureLoss.Of"/> may give for one of the four.</param>
    /// <exception cref="VerificationException">One is larger; the message names the figure and both of its values.</exception>
    public static void RequireWithin(
        ModelPrecision precision, IReadOnlyDictionary<string, double> before, IReadOnlyDictionary<string, double> after, double allowedLoss)
    {
        if (FigureLoss.WhyTooLarge(before, after, allowedLoss) is { } reason)
            throw new VerificationException($"With {PrecisionNames.NameOf(precision)}, {reason}; nothing was written.");
    }

    private static IReadOnlyDictionary<string, double> Measure(TrainedNetwork network, ModelProto model, LabeledRows rows)
    {
        // The last output is the prediction that goes with the loss.
        using var scorer = Scorer.Load(model, new ScorerSettings { Outputs = [model.Graph.Output[^1].Name] });
        var predictions = new float[rows.Count * scorer.ResultLength];
        scorer.ScoreBatch(rows.Features, rows.Count, predictions);
        return network.Loss.Metrics(predictions, rows);
    }
}

using System.Globalization;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Gives a trained network fewer bits, and refuses when its figures on real rows become worse by more than is allowed.
/// </summary>
public static class NetworkReducer
{
    /// <summary>The loss that is allowed when none is said; see <see cref="RequireWithin"/>.</summary>
    public const double DefaultLoss = 0.01;

    /// <summary>Makes a model of another precision from a folded one.</summary>
    /// <param name="network">The network, for its loss function and its figures.</param>
    /// <param name="folded">The network as ONNX, folded; it is left as it is.</param>
    /// <param name="rows">Rows with labels, as they go into the model: the network's values are looked at on them, and both models are measured.</param>
    /// <param name="precision">The precision.</param>
    /// <param name="allowedLoss">The largest loss of a figure; see <see cref="RequireWithin"/>. Default: 0.01.</param>
    /// <exception cref="VerificationException">The figures become worse by more than is allowed.</exception>
    /// <exception cref="NotSupportedException">The precision cannot be had; see <see cref="PrecisionReducer.Reduce"/>.</exception>
    public static ReducedNetwork Reduce(
        TrainedNetwork network, ModelProto folded, LabeledRows rows, ModelPrecision precision, double allowedLoss = DefaultLoss)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(folded);
        ArgumentNullException.ThrowIfNull(rows);
        var inputs = new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.Features, [rows.Count, .. rows.Shape.Sizes]),
        };
        // Judged by the figures: outputs may differ as much as they like where that changes nothing, as long as they are numbers.
        var check = PrecisionCheck.Run(folded, precision, [inputs], double.MaxValue);
        if (!check.IsWithin)
            throw new VerificationException($"With {PrecisionNames.NameOf(precision)}, the output '{check.Comparison!.Worst!.Output}' is no longer a number in some of the {rows.Count} rows; nothing was written.");
        var reduced = new ReducedNetwork(check, rows.Count, Measure(network, folded, rows), Measure(network, check.Result.Model, rows));
        RequireWithin(precision, reduced.Before, reduced.After, allowedLoss);
        return reduced;
    }

    /// <summary>
    /// How much worse each figure is: what a share or an area (<c>accuracy</c>, <c>macroAccuracy</c>, <c>auc</c>, <c>rSquared</c>) has lost, and by
    /// which part of itself an error (<c>logLoss</c>, <c>rmse</c>, <c>mae</c>) has grown. Negative where it is better.
    /// </summary>
    public static IReadOnlyDictionary<string, double> Losses(IReadOnlyDictionary<string, double> before, IReadOnlyDictionary<string, double> after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        return before.ToDictionary(
            figure => figure.Key,
            figure => IsError(figure.Key) ? Growth(figure.Value, after[figure.Key]) : figure.Value - after[figure.Key],
            StringComparer.Ordinal);
    }

    /// <summary>Refuses a model whose accuracy, macro-accuracy, AUC or RMSE has become worse by more than is allowed.</summary>
    /// <param name="precision">Its precision.</param>
    /// <param name="before">The figures of the float32 model.</param>
    /// <param name="after">The figures of the model with fewer bits, on the same rows.</param>
    /// <param name="allowedLoss">The largest value that <see cref="Losses"/> may give for one of the four.</param>
    /// <exception cref="VerificationException">One is larger; the message names the figure and both of its values.</exception>
    public static void RequireWithin(
        ModelPrecision precision, IReadOnlyDictionary<string, double> before, IReadOnlyDictionary<string, double> after, double allowedLoss)
    {
        foreach (var (name, loss) in Losses(before, after))
        {
            // A figure that was not defined before (an AUC with one class) says nothing.
            if (name is not ("accuracy" or "macroAccuracy" or "auc" or "rmse") || double.IsNaN(before[name]) || loss <= allowedLoss) continue;
            throw new VerificationException(string.Create(
                CultureInfo.InvariantCulture,
                $"With {PrecisionNames.NameOf(precision)}, {name} goes from {before[name]:G6} to {after[name]:G6}: a loss of {loss:G3}{(IsError(name) ? " of itself" : string.Empty)}, more than the {allowedLoss:G3} allowed; nothing was written."));
        }
    }

    private static bool IsError(string figure) => figure is "logLoss" or "rmse" or "mae";

    private static double Growth(double before, double after) => after == before ? 0 : (after / before) - 1;

    private static IReadOnlyDictionary<string, double> Measure(TrainedNetwork network, ModelProto model, LabeledRows rows)
    {
        // The last output is the prediction that goes with the loss.
        using var scorer = Scorer.Load(model, new ScorerSettings { Outputs = [model.Graph.Output[^1].Name] });
        var predictions = new float[rows.Count * scorer.ResultLength];
        scorer.ScoreBatch(rows.Features, rows.Count, predictions);
        return network.Loss.Metrics(predictions, rows);
    }
}

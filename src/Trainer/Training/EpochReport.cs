using System.Globalization;

namespace MlNetBatchNorm.Trainer;

/// <summary>What happened in one epoch.</summary>
/// <param name="Epoch">The number of the epoch, from 1.</param>
/// <param name="Epochs">The most epochs that there can be.</param>
/// <param name="Loss">The mean loss over the epoch's mini-batches, each measured before its step.</param>
/// <param name="Validation">The network at the end of the epoch on the rows held out; null when there are none.</param>
/// <param name="IsBest">Whether this epoch's network is the best so far.</param>
/// <param name="Elapsed">The time since training began.</param>
public sealed record EpochReport(int Epoch, int Epochs, double Loss, Evaluation? Validation, bool IsBest, TimeSpan Elapsed)
{
    /// <summary>The report as a line for people; a star marks the best epoch so far.</summary>
    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"epoch {Epoch,3}/{Epochs}  loss {Loss:0.0000}");
        if (Validation is null) return text;
        text += string.Create(CultureInfo.InvariantCulture, $"  validation loss {Validation.Loss:0.0000}");
        foreach (var (name, value) in Validation.Metrics.Where(metric => metric.Key != "logLoss"))
            text += $"  {Figure.Name(name)} {Figure.Value(name, value)}";
        return IsBest ? $"{text}  *" : text;
    }
}

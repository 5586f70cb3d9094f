using System.Globalization;

namespace MlNetBatchNorm.Trainer;

/// <summary>What happened in one epoch.</summary>
public sealed class EpochReport
{
    internal EpochReport(int epoch, int epochs, double loss, EpochMetrics? validation, bool isBest, TimeSpan elapsed) =>
        (Epoch, Epochs, Loss, Validation, IsBest, Elapsed) = (epoch, epochs, loss, validation, isBest, elapsed);

    /// <summary>The number of the epoch, from 1.</summary>
    public int Epoch { get; }

    /// <summary>The most epochs that there can be.</summary>
    public int Epochs { get; }

    /// <summary>The mean loss over the epoch's mini-batches, each measured before its step.</summary>
    public double Loss { get; }

    /// <summary>The network at the end of the epoch on the rows held out; null when there are none.</summary>
    public EpochMetrics? Validation { get; }

    /// <summary>Whether this epoch's network is the best so far. Without rows held out, every one is.</summary>
    public bool IsBest { get; }

    /// <summary>The time since training began.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>Whether <see cref="StopAfterThisEpoch"/> was called.</summary>
    internal bool IsStopped { get; private set; }

    /// <summary>
    /// Ends the training here, to be called from <see cref="TrainingOptions.Progress"/>: as if there were no more epochs, so that the trained network
    /// is that of the best epoch so far. (A cancellation, in contrast, leaves no network.) Called later it does nothing.
    /// </summary>
    public void StopAfterThisEpoch() => IsStopped = true;

    /// <summary>The report as a line for people; a star marks the best epoch so far.</summary>
    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"epoch {Epoch,3}/{Epochs}  loss {Loss:0.0000}");
        if (Validation is null) return text;
        text += string.Create(CultureInfo.InvariantCulture, $"  validation loss {Validation.Loss:0.0000}  {Validation}");
        return IsBest ? $"{text}  *" : text;
    }
}

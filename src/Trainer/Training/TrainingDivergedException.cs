namespace MlNetBatchNorm;

/// <summary>Training ran away: a loss became infinite or NaN.</summary>
public sealed class TrainingDivergedException : Exception
{
    internal TrainingDivergedException(int epoch, double loss, string what)
        : base(FormattableString.Invariant(
            $"The {what} became {loss} in epoch {epoch}; lower the learning rate, or look for extreme values in the data.")) =>
        Epoch = epoch;

    /// <summary>The epoch in which it happened, from 1.</summary>
    public int Epoch { get; }
}

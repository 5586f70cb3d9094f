namespace MlNetBatchNorm.Trainer;

/// <summary>Training ran away: a loss became infinite or NaN.</summary>
public sealed class DivergenceException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="epoch">The epoch, from 1.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="what">Which loss it was.</param>
    public DivergenceException(int epoch, double loss, string what)
        : base(FormattableString.Invariant($"The {what} became {loss} in epoch {epoch}; lower the learning rate, or look for extreme values in the data."))
    {
    }
}

namespace MlNetBatchNorm.Trainer;

/// <summary>A folded model does not give the same answers as the one it was made from.</summary>
public sealed class VerificationException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which output differs, by how much, and how much was allowed.</param>
    public VerificationException(string message)
        : base(message)
    {
    }
}

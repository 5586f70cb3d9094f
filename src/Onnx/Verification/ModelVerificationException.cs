namespace MlNetBatchNorm.Onnx;

/// <summary>
/// A model that was changed (folded, given fewer bits, exported from ML.NET) does not give the answers of the one it was made from, within
/// what is allowed. Nothing was written.
/// </summary>
public sealed class ModelVerificationException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Which output or figure differs, by how much, and how much was allowed.</param>
    public ModelVerificationException(string message)
        : base(message)
    {
    }
}

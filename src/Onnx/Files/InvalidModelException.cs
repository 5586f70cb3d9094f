namespace MlNetBatchNorm.Onnx;

/// <summary>
/// A file or graph is not a valid ONNX model. The message is one line that says what is wrong and where;
/// <see cref="Exception.InnerException"/>, if any, is the failure underneath.
/// </summary>
public sealed class InvalidModelException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong, where, and what was expected.</param>
    /// <param name="innerException">The failure underneath, if any.</param>
    public InvalidModelException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

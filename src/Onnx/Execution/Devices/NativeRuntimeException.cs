namespace MlNetBatchNorm;

/// <summary>
/// ONNX Runtime's native library, which comes with a package of the application's choice, is missing, does not load, or is too old. The
/// message says which, where it was looked for and which package to add; <see cref="Exception.InnerException"/> is what .NET or ONNX
/// Runtime said.
/// </summary>
public sealed class NativeRuntimeException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and which package to add.</param>
    /// <param name="innerException">The failure underneath.</param>
    public NativeRuntimeException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

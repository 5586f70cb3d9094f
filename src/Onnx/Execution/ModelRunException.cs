namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// ONNX Runtime failed while running a model. The message is one line: the model, the node if ONNX Runtime named it, the shapes of the
/// inputs, and its own words; the original is the inner exception.
/// </summary>
public sealed class ModelRunException : Exception
{
    /// <summary>Creates the exception.</summary>
    public ModelRunException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

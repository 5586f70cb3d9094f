namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>A device that was asked for explicitly cannot be used. The message lists what was tried and what each attempt answered.</summary>
public sealed class DeviceNotAvailableException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was asked for, what was tried, what to do.</param>
    /// <param name="attempts">What was tried, in order.</param>
    /// <param name="innerException">The last failure underneath.</param>
    public DeviceNotAvailableException(string message, IReadOnlyList<DeviceAttempt>? attempts = null, Exception? innerException = null)
        : base(message, innerException)
    {
        Attempts = attempts ?? [];
    }

    /// <summary>What was tried, in order.</summary>
    public IReadOnlyList<DeviceAttempt> Attempts { get; }
}

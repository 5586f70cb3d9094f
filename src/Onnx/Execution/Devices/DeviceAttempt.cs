namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>One way to a device that was tried.</summary>
/// <param name="What">What was tried.</param>
/// <param name="Answer">What came of it, in one line; null where it worked.</param>
/// <param name="Found">Whether there was anything to try: false for a library that is nowhere, or a provider that the build does not have.</param>
public sealed record DeviceAttempt(string What, string? Answer, bool Found = true)
{
    /// <inheritdoc/>
    public override string ToString() => $"{What}: {Answer ?? "done"}";
}

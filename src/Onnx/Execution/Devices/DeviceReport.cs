namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Which device was asked for, which one is in use, and what was tried on the way.</summary>
/// <param name="Requested">The device that was asked for.</param>
/// <param name="Actual">The device in use.</param>
/// <param name="Attempts">What was tried, in order.</param>
public sealed record DeviceReport(Device Requested, Device Actual, IReadOnlyList<DeviceAttempt> Attempts)
{
    /// <summary>Whether it became the CPU although something else would have been welcome.</summary>
    public bool FellBack => Actual.Kind == DeviceKind.Cpu && Requested.Kind != DeviceKind.Cpu;

    /// <summary>
    /// Whether the user should hear of it: a GPU's provider was there and failed, or a certain device was asked for. A machine that never had
    /// one falls back without a word.
    /// </summary>
    public bool IsSurprising => FellBack && (Requested.Kind != DeviceKind.Auto || Attempts.Any(attempt => attempt is { Found: true, Answer: not null }));

    /// <summary>One line: what is used, and why nothing better.</summary>
    public override string ToString() => !FellBack
        ? $"on {Actual}"
        : $"{Requested} was asked for and the CPU is used: {string.Join("; ", Attempts.Where(attempt => attempt.Answer is not null))}";
}

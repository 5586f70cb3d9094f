namespace MlNetBatchNorm;

/// <summary>Which device was asked for, which one is in use, and what was tried on the way.</summary>
/// <param name="Requested">The device that was asked for.</param>
/// <param name="Actual">The device in use.</param>
/// <param name="Attempts">What was tried, in order.</param>
public sealed record DeviceReport(Device Requested, Device Actual, IReadOnlyList<DeviceAttempt> Attempts)
{
    /// <summary>Whether it became the CPU although something else would have been welcome.</summary>
    public bool FellBack => Actual.Kind == DeviceKind.Cpu && Requested.Kind != DeviceKind.Cpu;

    /// <summary>
    /// Whether the user should hear of it: a GPU's provider was there and failed, or a certain device was asked for. A machine that never
    /// had one falls back without a word.
    /// </summary>
    public bool IsSurprising =>
        FellBack && (Requested.Kind != DeviceKind.Auto || Attempts.Any(attempt => attempt is { Found: true, Answer: not null }));

    /// <summary>One line: what is used, and why nothing better.</summary>
    public override string ToString() => !FellBack
        ? $"on {Actual}"
        : $"{Requested} was asked for and the CPU is used: {string.Join("; ", Attempts.Where(attempt => attempt.Answer is not null))}";
}

/// <summary>One way to a device that was tried.</summary>
/// <param name="What">What was tried.</param>
/// <param name="Answer">What came of it, in one line; null where it worked.</param>
/// <param name="Found">
/// Whether there was anything to try: false for a library that is nowhere, or a provider that the build does not have.
/// </param>
public sealed record DeviceAttempt(string What, string? Answer, bool Found = true)
{
    /// <inheritdoc/>
    public override string ToString() => $"{What}: {Answer ?? "done"}";
}

/// <summary>
/// A device that was asked for explicitly cannot be used. The message lists what was tried and what each attempt answered.
/// </summary>
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

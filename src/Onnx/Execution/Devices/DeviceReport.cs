namespace MlNetBatchNorm;

/// <summary>Which device was asked for, which one is in use, and what was tried on the way.</summary>
public sealed record DeviceReport
{
    internal DeviceReport(Device requested, Device actual, IReadOnlyList<DeviceAttempt> attempts) =>
        (Requested, Actual, Attempts) = (requested, actual, attempts);

    /// <summary>The device that was asked for.</summary>
    public Device Requested { get; }

    /// <summary>The device in use.</summary>
    public Device Actual { get; }

    /// <summary>What was tried, in order.</summary>
    public IReadOnlyList<DeviceAttempt> Attempts { get; }

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
public sealed record DeviceAttempt
{
    internal DeviceAttempt(string what, string? answer, bool found = true) =>
        (What, Answer, Found) = (what, answer, found);

    /// <summary>What was tried.</summary>
    public string What { get; }

    /// <summary>What came of it, in one line; null where it worked.</summary>
    public string? Answer { get; }

    /// <summary>
    /// Whether there was anything to try: false for a library that is nowhere, or a provider that the build does not have.
    /// </summary>
    public bool Found { get; }

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

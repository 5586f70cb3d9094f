namespace MlNetBatchNorm.Cli;

/// <summary>What the tool returns to the shell.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int VerificationFailed = 3;

    // As shells count: 128 and the number of the signal.
    public const int Interrupted = 130;
    public const int Terminated = 143;
}

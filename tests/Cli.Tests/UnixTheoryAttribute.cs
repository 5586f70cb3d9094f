namespace MlNetBatchNorm.Cli.Tests;

/// <summary>A test that sends signals; skipped on Windows, which has none.</summary>
internal sealed class UnixTheoryAttribute : TheoryAttribute
{
    /// <inheritdoc/>
    public override string? Skip => OperatingSystem.IsWindows() ? "Windows has no signals." : null;
}

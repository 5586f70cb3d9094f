using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>What a run of the tool gave.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    /// <summary>Asserts that the run failed as bad input should: one line on stderr, nothing on stdout.</summary>
    public string RequireOneLineOfError(int exitCode = 1)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}: {Error}");
        Assert.Empty(Output);
        var line = Assert.Single(Error.TrimEnd().Split('\n'), line => !IsProgress(line));
        Assert.StartsWith("mlnetbn: ", line, StringComparison.Ordinal);
        return line;
    }

    // Said of what takes longer than two seconds, as anything does on a machine that is busy enough.
    private static bool IsProgress(string line) => Regex.IsMatch(line, @"^(?!mlnetbn: )[a-z][^:]*: .*[0-9]{2}:[0-9]{2}( left)?\r?$");
}

using System.Diagnostics;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>A built sample, run as a user runs it.</summary>
internal static class SampleProgram
{
    /// <summary>Runs a sample to its end, which must be a good one, and gives what it printed.</summary>
    public static string Run(string name, string workingFolder)
    {
        using var process = Start(name, workingFolder);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(4)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"The sample {name} did not end within 4 minutes.");
        }

        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{output.Result}\n{error.Result}");
        return output.Result;
    }

    public static Process Start(string name, string workingFolder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = workingFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }
}

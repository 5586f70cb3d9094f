using System.Diagnostics;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The built tool, run as a process of its own, as a user runs it.</summary>
internal static class Tool
{
    /// <summary>
    /// The tool, for <c>dotnet</c>: the one that <c>MLNETBN_TOOL</c> names, which may be compiled ahead as a user's is, or the copy beside
    /// the tests.
    /// </summary>
    public static string Path { get; } =
        Environment.GetEnvironmentVariable("MLNETBN_TOOL") is { Length: > 0 } named
            ? named
            : System.IO.Path.Combine(AppContext.BaseDirectory, "mlnetbn.dll");

    /// <summary>Starts the tool.</summary>
    public static Process Start(string workingFolder, params string[] arguments) => Start(workingFolder, (int?)null, arguments);

    /// <summary>Starts the tool as on a machine with so many processors; null = as many as there are.</summary>
    public static Process Start(string workingFolder, int? processors, string[] arguments) =>
        Start(workingFolder, Processors(processors), arguments);

    private static Process Start(string workingFolder, Dictionary<string, string?> environment, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = workingFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        start.ArgumentList.Add(Path);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>Runs the tool and waits for it.</summary>
    public static ToolResult Run(string workingFolder, params string[] arguments) => Run(workingFolder, (int?)null, arguments);

    /// <summary>Runs the tool as on a machine with so many processors, and waits for it.</summary>
    public static ToolResult Run(string workingFolder, int? processors, string[] arguments) =>
        Run(workingFolder, Processors(processors), arguments);

    /// <summary>Runs the tool in an environment that has something more, and waits for it.</summary>
    public static ToolResult Run(string workingFolder, Dictionary<string, string?> environment, string[] arguments)
    {
        using var process = Start(workingFolder, environment, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(4)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"mlnetbn {string.Join(' ', arguments)} did not end within 4 minutes.");
        }

        return new ToolResult(process.ExitCode, output.Result, error.Result);
    }

    private static Dictionary<string, string?> Processors(int? count) =>
        count is null ? [] : new() { ["DOTNET_PROCESSOR_COUNT"] = $"{count}" };
}

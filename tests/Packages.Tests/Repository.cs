using System.Diagnostics;
using System.Reflection;

namespace MlNetBatchNorm.Packages.Tests;

/// <summary>What this project was built from, and how.</summary>
internal static class Repository
{
    /// <summary>The folder with the solution.</summary>
    public static string Folder { get; } = FindFolder();

    /// <summary>As this project was built, so were those that are packed.</summary>
    public static string Configuration { get; } =
        typeof(Repository).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    /// <summary>A value that MSBuild wrote into this assembly.</summary>
    public static string Built(string key) =>
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;

    /// <summary>Runs the SDK to its end, which must be a good one.</summary>
    public static void Dotnet(string workingFolder, params string[] arguments)
    {
        var result = Run("dotnet", workingFolder, arguments);
        var command = $"dotnet {string.Join(' ', arguments)}";
        Assert.True(result.ExitCode == 0, $"{command}: exit code {result.ExitCode}\n{result.Output}\n{result.Error}");
    }

    /// <summary>Runs a program to its end.</summary>
    public static ToolResult Run(string program, string workingFolder, params string[] arguments)
    {
        using var process = Start(program, workingFolder, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(8)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within 8 minutes.");
        }

        return new ToolResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts a program.</summary>
    public static Process Start(string program, string workingFolder, params string[] arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            WorkingDirectory = workingFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        // What the test host was given by the SDK is not for another one.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        // Nodes of MSBuild that stay would keep the pipes open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        return Process.Start(start)!;
    }

    private static string FindFolder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MlNetBatchNorm.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}

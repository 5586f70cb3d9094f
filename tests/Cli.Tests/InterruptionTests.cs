using System.Diagnostics;
using System.Globalization;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Ctrl+C and SIGTERM end every command within a second, whatever it does at that moment.</summary>
public sealed class InterruptionTests : IDisposable
{
    // A second, and what a machine that is busy with other tests adds to it.
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(5);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Not INT alone: a shell that runs tests in the background lets them ignore it, and env undoes that.
    [UnixTheory]
    [InlineData("TERM", 143, "train")]
    [InlineData("INT", 130, "train")]
    [InlineData("TERM", 143, "score")]
    [InlineData("INT", 130, "score")]
    [InlineData("TERM", 143, "fold")]
    [InlineData("INT", 130, "fold")]
    public void Command_Stopped_EndsAtOnceAndLeavesNothing(string signal, int exitCode, string what)
    {
        // A pipe that has no writer holds a command where it reads, in the middle of its work, for as long as it takes.
        using var make = Process.Start("mkfifo", [_folder.File("data.csv"), _folder.File("in.onnx")]);
        make.WaitForExit();
        _folder.Write("train.csv", ChurnTables.First(1000));
        string[] arguments = what switch
        {
            "train" => ["train", "train.csv", "--label", "churn", "--epochs", "100000", "--patience", "0", "--out", "out"],
            "score" => ["score", "in.onnx", "data.csv", "--out", "p.csv"],
            _ => ["fold", "in.onnx", "out.onnx"],
        };
        var before = _folder.Files();
        using var process = Process.Start(new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", Tool.Path, .. arguments])
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        while (what == "train" && process.StandardError.ReadLine() is { } line)
            if (line.StartsWith("epoch", StringComparison.Ordinal)) break;
        if (what != "train") Thread.Sleep(1500);
        var rest = process.StandardError.ReadToEndAsync();
        var watch = Stopwatch.StartNew();
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        Assert.True(process.WaitForExit(Second), "It goes on.");
        Assert.True(watch.Elapsed < Second);
        Assert.Equal(exitCode, process.ExitCode);
        Assert.EndsWith(
            "mlnetbn: stopped; nothing was written. The same command begins anew.", rest.Result.TrimEnd(), StringComparison.Ordinal);
        Assert.Equal(before, _folder.Files());
    }
}

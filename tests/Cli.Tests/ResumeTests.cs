using System.Diagnostics;
using System.Globalization;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>train --resume</c>: stopped or killed, the same command again ends with the same model.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ResumeTests() => _folder.Write("data.csv", ChurnTables.First(1000));

    public void Dispose() => _folder.Dispose();

    // Not INT, which Ctrl+C sends: a shell that runs tests in the background lets them ignore it. The tool treats both alike.
    [UnixTheory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public void Train_StoppedAndGivenAgain_WritesTheSameModel(string signal)
    {
        var stopped = StopAfterEpoch(2, signal, [.. Arguments, "--resume"]);
        Assert.NotEqual(0, stopped.ExitCode);
        Assert.True(File.Exists(_folder.File("out/training.checkpoint")));
        Assert.False(File.Exists(_folder.File("out/model.onnx")));
        if (signal == "TERM")
        {
            Assert.Equal(143, stopped.ExitCode);
            Assert.Equal(["data.csv", "out", "out/training.checkpoint"], _folder.Files());
            Assert.Contains(
                "mlnetbn: stopped; the same command goes on from out/training.checkpoint.", stopped.Error, StringComparison.Ordinal);
        }

        var resumed = Tool.Run(_folder.Path, [.. Arguments, "--resume"]);

        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("going on from out/training.checkpoint", resumed.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("epoch   1/", resumed.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("out/training.checkpoint")));
        var whole = Tool.Run(_folder.Path, [.. Arguments[..^1], "whole"]);
        Assert.True(whole.ExitCode == 0, whole.Error);
        Assert.Equal(File.ReadAllBytes(_folder.File("whole/model.onnx")), File.ReadAllBytes(_folder.File("out/model.onnx")));
        Assert.Equal(
            File.ReadAllBytes(_folder.File("whole/model.batchnorm.onnx")), File.ReadAllBytes(_folder.File("out/model.batchnorm.onnx")));

        // The report of the epochs is whole, too.
        Assert.Equal(Epochs("whole"), Epochs("out"));
    }

    [UnixTheory]
    [InlineData("TERM")]
    public void Train_StoppedWithoutResume_WritesNothing(string signal)
    {
        var stopped = StopAfterEpoch(2, signal, Arguments);
        Assert.Equal(143, stopped.ExitCode);
        Assert.Contains("mlnetbn: stopped; nothing was written.", stopped.Error, StringComparison.Ordinal);
        Assert.Equal(["data.csv"], _folder.Files());
    }

    [Fact]
    public void Train_CheckpointIsSomethingElse_SaysSoInOneLineAndKeepsIt()
    {
        Directory.CreateDirectory(_folder.File("out"));
        _folder.Write("out/training.checkpoint", "not a checkpoint");
        var result = Tool.Run(_folder.Path, [.. Arguments, "--resume"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(
            "'out/training.checkpoint' is not a checkpoint of a training, or is damaged. Remove it to begin anew.",
            Assert.Single(result.Error.Split('\n'), line => line.StartsWith("mlnetbn: ", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Equal("not a checkpoint", File.ReadAllText(_folder.File("out/training.checkpoint")));
        Assert.Equal(["data.csv", "out", "out/training.checkpoint"], _folder.Files());
    }

    [UnixTheory]
    [InlineData("KILL")]
    public void Train_ResumedWithOtherOptions_NamesThem(string signal)
    {
        StopAfterEpoch(1, signal, [.. Arguments, "--resume"]);
        var result = Tool.Run(_folder.Path, [.. Arguments, "--resume", "--lr", "0.01", "--seed", "9"]);
        Assert.Equal(1, result.ExitCode);
        var line = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("mlnetbn: ", StringComparison.Ordinal));
        Assert.Contains("learning rate: 0.001 then, 0.01 now; seed: 0 then, 9 now", line, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("out/training.checkpoint")));
    }

    [UnixTheory]
    [InlineData("TERM")]
    public void Train_ResumedOnFewerProcessors_IsRefusedOrGivesTheSameModel(string signal)
    {
        string[] wide =
        [
            .. Arguments[..4], "--preset", "fast", "--epochs", "12", "--patience", "0", "--hidden", "400,300", "--out", "out", "--resume",
        ];
        StopAfterEpoch(2, signal, wide, processors: 2);

        var refused = Tool.Run(_folder.Path, 1, wide);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("threads: 2 then, 1 now", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--threads", refused.Error, StringComparison.Ordinal);

        var resumed = Tool.Run(_folder.Path, 1, [.. wide, "--threads", "2"]);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        var whole = Tool.Run(_folder.Path, 2, [.. wide[..^2], "whole"]);
        Assert.True(whole.ExitCode == 0, whole.Error);
        Assert.Equal(File.ReadAllBytes(_folder.File("whole/model.onnx")), File.ReadAllBytes(_folder.File("out/model.onnx")));
        Assert.Contains("\"threads\": 2", File.ReadAllText(_folder.File("out/metrics.json")), StringComparison.Ordinal);
    }

    // Small mini-batches, so that an epoch takes its time.
    private static string[] Arguments =>
        ["train", "data.csv", "--label", "churn", "--preset", "fast", "--batch", "4", "--epochs", "30", "--patience", "0", "--out", "out"];

    private string[] Epochs(string folder)
    {
        using var metrics = System.Text.Json.JsonDocument.Parse(File.ReadAllText(_folder.File($"{folder}/metrics.json")));
        return [.. metrics.RootElement.GetProperty("epochs").EnumerateArray().Select(epoch => epoch.ToString())];
    }

    // When the line of an epoch is there, the checkpoint of that epoch is, too.
    private ToolResult StopAfterEpoch(int epoch, string signal, string[] arguments, int? processors = null)
    {
        using var process = Tool.Start(_folder.Path, processors, arguments);
        var error = new System.Text.StringBuilder();
        while (process.StandardError.ReadLine() is { } line)
        {
            error.AppendLine(line);
            if (!line.StartsWith(string.Create(CultureInfo.InvariantCulture, $"epoch {epoch,3}/"), StringComparison.Ordinal)) continue;
            using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
            kill.WaitForExit();
        }

        process.WaitForExit();
        return new ToolResult(process.ExitCode, process.StandardOutput.ReadToEnd(), error.ToString());
    }
}

using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>What the tool says on stderr while it works: on a terminal, in a pipe, with <c>--quiet</c>, with <c>--json-lines</c>.</summary>
public sealed class ProgressTests(ProgressTests.Churn sample) : IClassFixture<ProgressTests.Churn>
{
    private static readonly string[] Short = ["--preset", "fast", "--hidden", "16,8", "--statistics", "population"];

    private TemporaryFolder Folder => sample.Folder;

    [Fact]
    public void Train_JsonLines_TellsTheTrainingFromStartToEnd()
    {
        var events = Events(0, ["train", "test.csv", "--label", "churn", .. Short, "--epochs", "3", "--out", "json"], out var output);

        Assert.Equal(("started", "train"), (Kind(events[0]), events[0].GetProperty("command").GetString()));
        Assert.Equal(("done", 0), (Kind(events[^1]), events[^1].GetProperty("exitCode").GetInt32()));
        var epochs = events.Where(line => Kind(line) == "epoch").ToArray();
        Assert.Equal([1, 2, 3], epochs.Select(epoch => epoch.GetProperty("epoch").GetInt32()));
        Assert.All(epochs, epoch => Assert.InRange(epoch.GetProperty("validation").GetProperty("auc").GetDouble(), 0, 1));
        Assert.Equal(epochs.Select(epoch => epoch.GetProperty("loss").GetDouble()), History("json"));
        var training = events.First(line => Kind(line) == "progress" && line.GetProperty("work").GetString() == "training");

        // 1,409 rows, of which a fifth is for testing and a tenth of the others to validate by, in mini-batches of 128.
        Assert.Equal(("steps", 3 * 8), (training.GetProperty("unit").GetString(), training.GetProperty("total").GetInt32()));
        Assert.Contains(events, line => Kind(line) == "note" && Message(line).Contains("total_charges", StringComparison.Ordinal));
        Assert.Contains("written", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_JsonLines_CountsRowsAndLeavesStdoutToTheResult()
    {
        var events = Events(0, ["score", "out/model.onnx", "test.csv", "--out", "-"], out var output);

        var last = events.Last(line => Kind(line) == "progress");
        Assert.Equal(("scoring", "rows"), (last.GetProperty("work").GetString(), last.GetProperty("unit").GetString()));
        Assert.Equal(output.TrimEnd().Split('\n').Length - 1, last.GetProperty("done").GetInt32());
    }

    [Fact]
    public void Fold_JsonLines_TellsTheProofAndSendsTheTableThereToo()
    {
        var events = Events(0, ["fold", "out/model.batchnorm.onnx", "folded.onnx", "--report", "-"], out _);

        var works = events.Where(line => Kind(line) == "progress").Select(line => line.GetProperty("work").GetString()).Distinct();
        Assert.Equal(["reading the model", "folding", "proving each part", "comparing both models as wholes", "writing the model"], works);
        Assert.Contains(events, line => Kind(line) == "message" && Message(line).StartsWith("nodes:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1, "there is no such file", "train", "missing.csv", "--label", "churn", "--out", "none")]
    [InlineData(2, "'--label' is required", "train", "test.csv", "--out", "none")]
    public void Command_FailsWithJsonLines_SaysWhyAsJson(int exitCode, string expected, params string[] arguments)
    {
        var events = Events(exitCode, arguments, out _);

        Assert.Contains(events, line => Kind(line) == "error" && Message(line).Contains(expected, StringComparison.Ordinal));
        Assert.Equal(exitCode, events[^1].GetProperty("exitCode").GetInt32());
    }

    [Fact]
    public void Command_Quiet_SaysNothingUntilSomethingIsWrong()
    {
        string[] training = ["train", "test.csv", "--label", "churn", .. Short, "--epochs", "20", "--out", "quiet"];
        var trained = Tool.Run(Folder.Path, [.. training, "--quiet"]);
        Assert.Equal((0, string.Empty), (trained.ExitCode, trained.Error));
        Assert.Contains("test AUC", trained.Output, StringComparison.Ordinal);

        var failed = Tool.Run(Folder.Path, "score", "out/model.onnx", "missing.csv", "--out", "p.csv", "--quiet");
        Assert.Equal((1, "mlnetbn: missing.csv: there is no such file."), (failed.ExitCode, failed.Error.TrimEnd()));
        var both = Tool.Run(Folder.Path, "devices", "--quiet", "--json-lines");
        Assert.Equal(2, both.ExitCode);
        Assert.Contains("exclude each other", both.Error, StringComparison.Ordinal);
    }

    // Epochs that take long enough for lines between them, on any machine.
    [Fact]
    public void Train_LongEpochsInAPipe_SaysStepSpeedAndTimeLeftInPlainLines()
    {
        using var process = Tool.Start(
            Folder.Path, "train", "test.csv", "--label", "churn", "--preset", "fast", "--hidden", "2500,2500", "--batch", "2", "--epochs",
            "1000", "--out", "long");
        _ = process.StandardOutput.ReadToEndAsync();
        var lines = new List<string>();
        while (!lines.Any(line => line.StartsWith("training: ", StringComparison.Ordinal)) && process.StandardError.ReadLine() is { } line)
            lines.Add(line);
        process.Kill(entireProcessTree: true);
        process.WaitForExit();

        Assert.Matches("^training: epoch [0-9]+/1000, step [0-9,]+/[0-9,]+, [0-9,]+ rows/s, at most [0-9]{2,}:[0-9]{2} left$", lines[^1]);
        Assert.DoesNotContain(lines, line => line.Contains('\u001b'));
    }

    [UnixTheory]
    [InlineData("xterm-256color", true)]
    [InlineData("dumb", false)]
    public void Train_OnATerminal_HasALineThatMovesWhereItCan(string terminal, bool moves)
    {
        if (!File.Exists("/usr/bin/script") || OperatingSystem.IsMacOS()) return;
        var command = $"dotnet '{Tool.Path}' train test.csv --label churn {string.Join(' ', Short)} --epochs 3 --out terminal";
        var start = new ProcessStartInfo("/usr/bin/script", ["-qec", command, "/dev/null"])
        {
            WorkingDirectory = Folder.Path,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["TERM"] = terminal;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        Assert.Equal(moves, text.Contains("\r\u001b[K", StringComparison.Ordinal));
        Assert.Contains("epoch   3/3", text, StringComparison.Ordinal);

        // What is printed in the end is printed on a clear line.
        Assert.Matches(new Regex(@"(\n|\r\u001b\[K)(\u001b\[[0-9;]*m)*test AUC"), text);
    }

    [Theory]
    [InlineData(3, 10, "parts", "proving: 3 of 10 parts, 1.5 parts/s, 00:05 left")]
    [InlineData(5e7, 1e8, "bytes", "proving: 50 % of 100 MB, 25 MB/s, 00:02 left")]
    [InlineData(0, 0, "", "proving: 00:02")]
    public void State_OfWork_IsALine(double done, double total, string unit, string expected)
    {
        var share = total > 0 ? done / total : (double?)null;
        var state = new ProgressState
        {
            Work = "proving",
            Detail = string.Empty,
            Unit = unit,
            Done = done,
            Total = total > 0 ? total : null,
            Position = null,
            Share = share,
            Elapsed = TimeSpan.FromSeconds(2),
            StageElapsed = TimeSpan.FromSeconds(2),
            PerSecond = done / 2,
            RowsPerSecond = null,
            Left = share is > 0 ? TimeSpan.FromSeconds(2 * (1 - share.Value) / share.Value) : null,
        };

        Assert.Equal(expected, state.ToString());
    }

    [Fact]
    public void Follow_PartsOfALongerWork_CountsTheirSteps()
    {
        using var progress = Progress.Begin("training", Progress.Steps, 30);
        var watch = progress.Follow(new TrainingOptions(), "rate 0.1").Watch!;
        for (var step = 1; step <= 6; step++) watch.Step(new TrainingPosition(1, 2, step, 10, 128));

        var state = progress.State();
        Assert.Equal((6.0, 0.2, "rate 0.1"), (state.Done, state.Share, state.Detail));
        Assert.True(state.RowsPerSecond > 0);
        progress.Reach(20);
        Assert.Equal(20, progress.State().Done);
    }

    private double[] History(string folder) =>
    [
        .. JsonDocument.Parse(File.ReadAllText(Folder.File($"{folder}/metrics.json"))).RootElement.GetProperty("epochs").EnumerateArray()
            .Select(epoch => epoch.GetProperty("loss").GetDouble()),
    ];

    private JsonElement[] Events(int exitCode, string[] arguments, out string output)
    {
        var result = Tool.Run(Folder.Path, [.. arguments, "--json-lines"]);
        Assert.True(result.ExitCode == exitCode, result.Error);
        output = result.Output;
        return [.. result.Error.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement)];
    }

    private static string? Kind(JsonElement line) => line.GetProperty("event").GetString();

    private static string Message(JsonElement line) => line.GetProperty("message").GetString()!;

    public sealed class Churn() : TrainedSample("churn.csv", "churn", "binary");
}

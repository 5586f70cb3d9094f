using System.Globalization;
using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>mlnetbn tune</c>: what it writes and says, and that test rows have no part in it.</summary>
public sealed class TuneTests : IDisposable
{
    private static readonly string[] Arguments =
    [
        "tune", "data.csv", "--label", "y", "--epochs", "2", "--hidden", "8", "--members", "2", "--trials", "4", "--folds", "2", "--seed",
        "5", "--out", "out",
    ];

    private readonly TemporaryFolder _folder = new();

    public TuneTests()
    {
        _folder.Write("data.csv", Table(160, row => row % 3 == 0 ? "yes" : "no"));
        _folder.Write("test.csv", Table(40, row => row % 3 == 0 ? "yes" : "no"));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tune_SmallTable_WritesWhatTrainWritesAndTheTrials()
    {
        var result = Tool.Run(_folder.Path, Arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["metrics.json", "model.batchnorm.onnx", "model.onnx", "model.zip", "report.html", "trials.csv"],
            Directory.GetFiles(_folder.File("out")).Select(Path.GetFileName).Where(name => name != "outOfFold.csv")
                .Order(StringComparer.Ordinal));
        Assert.Contains("trial 1: log-loss ", result.Error, StringComparison.Ordinal);
        Assert.Contains("tuned                4 settings; taken is trial ", result.Output, StringComparison.Ordinal);
        Assert.Contains("on folds ", result.Output, StringComparison.Ordinal);

        var lines = File.ReadAllLines(_folder.File("out/trials.csv"));
        Assert.Equal("trial,rung,epochs,dropout,rate,decay,weights,numbers,metric,score,deviation,fold1,fold2,seconds", lines[0]);
        Assert.StartsWith("1,2,2,0.05,0.002,0.01,own,piecewise,logLoss,", lines[1], StringComparison.Ordinal);
        var tuning = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json"))).RootElement.GetProperty("tuning");
        Assert.Equal(lines.Length - 1, tuning.GetProperty("trials").GetArrayLength());
        Assert.Equal(
            double.Parse(lines[1].Split(',')[9], CultureInfo.InvariantCulture),
            tuning.GetProperty("trials")[0].GetProperty("score").GetDouble(),
            6);
        Assert.Contains("What tuning brought", File.ReadAllText(_folder.File("out/report.html")), StringComparison.Ordinal);

        var scored = Tool.Run(_folder.Path, "score", "out/model.onnx", "test.csv", "--out", "predictions.csv");
        Assert.True(scored.ExitCode == 0, scored.Error);
    }

    // Were a trial to look at them, these would turn every choice around.
    [Fact]
    public void Tune_OtherTestRows_SameTrialsAndSameModel()
    {
        var honest = Tool.Run(_folder.Path, [.. Arguments, "--test", "test.csv"]);
        Assert.True(honest.ExitCode == 0, honest.Error);
        _folder.Write("poison.csv", Table(400, row => row % 3 == 0 ? "no" : "yes", scale: 1e6));
        var poisoned = Tool.Run(_folder.Path, [.. Arguments[..^1], "poisoned", "--test", "poison.csv"]);
        Assert.True(poisoned.ExitCode == 0, poisoned.Error);

        Assert.Equal(Trials("out"), Trials("poisoned"));
        Assert.Equal(
            File.ReadAllBytes(_folder.File("out/model.batchnorm.onnx")), File.ReadAllBytes(_folder.File("poisoned/model.batchnorm.onnx")));
    }

    [UnixTheory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public void Tune_StoppedAndGivenAgain_EndsWithTheSameTrials(string signal)
    {
        using (var process = Tool.Start(_folder.Path, Arguments))
        {
            string? line;
            do line = process.StandardError.ReadLine();
            while (line?.StartsWith("trial 1:", StringComparison.Ordinal) == false);
            Assert.NotNull(line);
            System.Diagnostics.Process.Start("kill", [$"-{signal}", $"{process.Id}"]).WaitForExit();
            var rest = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (signal == "TERM")
                Assert.Contains("stopped; the same command goes on from out/tuning.json.", rest, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(_folder.File("out/model.onnx")));
        var other = Tool.Run(_folder.Path, [.. Arguments, "--lr", "0.01"]);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("'out/tuning.json' is the state of another tuning: settings: ", other.Error, StringComparison.Ordinal);

        var resumed = Tool.Run(_folder.Path, Arguments);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("going on from out/tuning.json", resumed.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("out/tuning.json")));
        var whole = Tool.Run(_folder.Path, [.. Arguments[..^1], "whole"]);
        Assert.True(whole.ExitCode == 0, whole.Error);
        Assert.Equal(Trials("whole"), Trials("out"));
    }

    [Fact]
    public void Tune_JsonLines_SaysEachTrialAndWhatIsLeft()
    {
        var result = Tool.Run(_folder.Path, [.. Arguments, "--json-lines"]);
        Assert.True(result.ExitCode == 0, result.Error);
        var events = result.Error.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToList();
        var trials = events.Where(said => said.GetProperty("event").GetString() == "trial").ToList();
        Assert.Equal(Trials("out").Length - 1, trials.Count);
        Assert.All(trials, trial => Assert.Equal(2, trial.GetProperty("folds").GetArrayLength()));
        var progress = events.Where(said => said.TryGetProperty("work", out var work) && work.GetString() == "tuning").ToList();
        Assert.Equal(1, progress[^1].GetProperty("share").GetDouble());
        Assert.True(progress[^1].TryGetProperty("secondsLeft", out _));
    }

    [Theory]
    [InlineData("--trials", "1", "--trials is 1, but must be from 2 to 10000.")]
    [InlineData("--time-limit", "5 days", "'5 days' is not a time; write seconds, minutes or hours, as 90s, 10m or 2h, up to 720h.")]
    [InlineData("--folds", "1", "--folds is 1, but must be from 2 to 50.")]
    public void Tune_WrongOption_IsWrongUsage(string option, string value, string message)
    {
        var result = Tool.Run(_folder.Path, "tune", "data.csv", "--label", "y", "--out", "out", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    // Without the seconds, which differ from run to run.
    private string[] Trials(string folder) => [.. File.ReadAllLines(_folder.File($"{folder}/trials.csv"))
        .Select(line => line[..line.LastIndexOf(',')])];

    private static string Table(int rows, Func<int, string> label, double scale = 1)
    {
        var random = new Random(1);
        return "x,z,y\n" + string.Concat(Enumerable.Range(0, rows).Select(row => string.Create(
            CultureInfo.InvariantCulture,
            $"{scale * ((row % 3) + random.NextDouble()):0.###},{scale * random.NextDouble():0.###},{label(row)}\n")));
    }
}

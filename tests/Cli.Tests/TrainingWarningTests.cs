namespace MlNetBatchNorm.Cli.Tests;

public sealed class TrainingWarningTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--batch", "4", "gets 4 values of a channel in a mini-batch")]
    [InlineData("--statistics", "pytorch:1", "those of the last mini-batch alone")]
    [InlineData("--statistics", "keras:0.9999", "standard deviations from those of the training rows")]
    [InlineData(
        "--network", "dense 8; dropout 0.5; dense 8; batchnorm; relu; dense 1", "stands in front of the batch normalization 'batchnorm1'")]
    public void Train_SomethingProbablyNotMeant_WarnsAndGoesOn(string option, string value, string expected)
    {
        _folder.Write("data.csv", ChurnTables.First(120));
        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", option, value, "--epochs", "2", "--out", "out");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains(
            result.Error.Split('\n'),
            line => line.StartsWith("warning: ", StringComparison.Ordinal) && line.Contains(expected, StringComparison.Ordinal));
        Assert.True(File.Exists(_folder.File("out/model.onnx")));
    }

    [Theory]
    [InlineData("binary", "no better than giving every row the share of each class (log-loss ")]
    [InlineData("regression", "no better than always saying the mean (RMSE ")]
    public void Train_ColumnsThatSayNothing_SaysSoInTheLastLineTheReportAndTheMetrics(string task, string expected)
    {
        var random = new Random(3);
        var rows = Enumerable.Range(0, 300)
            .Select(_ => $"{(task == "binary" ? random.Next(2) : random.NextDouble())},{random.NextDouble()}\n");
        _folder.Write("data.csv", $"y,x\n{string.Concat(rows)}");

        var result = Tool.Run(
            _folder.Path, "train", "data.csv", "--label", "y", "--task", task, "--epochs", "3", "--preset", "fast", "--out", "out");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains(
            $"warning: on the test rows this model is {expected}", result.Error.Trim().Split('\n')[^1], StringComparison.Ordinal);
        Assert.Contains(expected, File.ReadAllText(_folder.File("out/report.html")), StringComparison.Ordinal);
        Assert.Contains("\"betterThanBaseRate\": false", File.ReadAllText(_folder.File("out/metrics.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Dates_ScoresDatesAndTakesTheirPartsAsColumnsOfThePipeline()
    {
        var rows = Enumerable.Range(0, 600).Select(i => new DateTime(2021, 3, 1).AddHours(7 * i))
            .Select(day => $"{(day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday ? "closed" : "open")},{day:dd.MM.yyyy HH:mm}\n");
        _folder.Write("data.csv", $"y,day\n{string.Concat(rows)}");

        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "y", "--whole-pipeline", "--out", "out");
        _folder.Write("new.csv", "day\n14.08.2021 10:00\n16.08.2021 10:00\n");
        var scored = Tool.Run(_folder.Path, "score", "out/model.onnx", "new.csv", "--out", "onnx.csv");
        var zip = Tool.Run(_folder.Path, "score", "out/model.zip", "new.csv", "--out", "zip.csv");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("10 features from 1 columns", result.Error, StringComparison.Ordinal);
        Assert.Contains("4 columns in", result.Output, StringComparison.Ordinal);

        // A Saturday and a Monday.
        Assert.True(scored.ExitCode + zip.ExitCode == 0, scored.Error + zip.Error);
        var lines = File.ReadAllLines(_folder.File("onnx.csv"));
        Assert.Equal(["closed", "open"], lines[1..].Select(line => line.Split(',')[0]));
        Assert.Equal(lines, File.ReadAllLines(_folder.File("zip.csv")));
    }

    [Fact]
    public void Train_ManyColumnsLeftOutForTheSameReason_NamesSomeAndCountsTheOthers()
    {
        var same = Enumerable.Range(0, 30).Select(i => $"same{i}").ToArray();
        var rows = Enumerable.Range(0, 60).Select(row => $"{row % 2},{row},{string.Join(',', same.Select(_ => "x"))}");
        _folder.Write("data.csv", $"y,a,{string.Join(',', same)}\n{string.Join('\n', rows)}\n");

        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "y", "--epochs", "1", "--out", "out");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            [
                "note: column same0 is left out: the same text ('x') in every row",
                "note: column same1 is left out: the same text ('x') in every row",
                "note: column same2 is left out: the same text ('x') in every row",
                "note: left out are 27 more columns: same3, same4, same5, same6, same7 and 22 more",
            ],
            result.Error.Split('\n').Where(line => line.Contains("left out", StringComparison.Ordinal)));
    }
}

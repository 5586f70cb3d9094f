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

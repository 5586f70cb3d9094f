namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>train --whole-pipeline</c>.</summary>
public sealed class WholePipelineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WholePipeline_WritesIt()
    {
        _folder.Write("data.csv", ChurnTables.First(400));

        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", "--out", "out", "--epochs", "1", "--whole-pipeline");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(File.Exists(_folder.File("out/model.onnx")));
        Assert.True(File.Exists(_folder.File("out/pipeline.onnx")));
        Assert.Contains("19 columns in, Score, Probability, PredictedLabel out", result.Output, StringComparison.Ordinal);
        Assert.Contains("in 80 rows", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("differs for", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tenure", "Score")]
    [InlineData("contract", "PredictedLabel")]
    [InlineData("churn", "Score")]
    [InlineData("churn", "Features")]
    public void Train_ColumnCalledLikeAnOutput_ChangesNothingElse(string column, string name)
    {
        var table = ChurnTables.First(400);
        _folder.Write("data.csv", table);
        var header = table.Split('\n')[0];
        Assert.Contains($"\"{column}\"", header.Split(','));
        _folder.Write("renamed.csv", header.Replace($"\"{column}\"", name, StringComparison.Ordinal) + table[header.Length..]);

        foreach (var (file, label) in new[] { ("data.csv", "churn"), ("renamed.csv", column == "churn" ? name : "churn") })
        {
            var result = Tool.Run(
                _folder.Path,
                ["train", file, "--label", label, "--out", $"{file}-out", "--preset", "fast", "--epochs", "1", "--whole-pipeline"]);
            Assert.True(result.ExitCode == 0, result.Error);
            Assert.Equal(0, Tool.Run(_folder.Path, "score", $"{file}-out/model.zip", file, "--out", $"{file}-scores").ExitCode);
        }

        Assert.Equal(File.ReadAllText(_folder.File("data.csv-scores")), File.ReadAllText(_folder.File("renamed.csv-scores")));
    }
}

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
    }
}

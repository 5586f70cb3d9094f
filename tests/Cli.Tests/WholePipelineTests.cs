namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>train --whole-pipeline</c>: with ML.NET's own converter a file, without it the reason in one line.</summary>
public sealed class WholePipelineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WholePipeline_WritesItOrSaysWhyNotBeforeTraining()
    {
        _folder.Write("data.csv", ChurnTables.First(400));

        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", "--out", "out", "--epochs", "1", "--whole-pipeline");

        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "Microsoft.ML.OnnxConverter.dll")))
        {
            Assert.True(result.ExitCode == 0, result.Error);
            Assert.True(File.Exists(_folder.File("out/model.onnx")));
            Assert.True(File.Exists(_folder.File("out/pipeline.onnx")));
            Assert.Contains("19 columns in, Score, Probability, PredictedLabel out", result.Output, StringComparison.Ordinal);
            Assert.Contains("in 80 rows", result.Output, StringComparison.Ordinal);
        }
        else
        {
            // Known before training, and said then.
            Assert.Equal(1, result.ExitCode);
            Assert.DoesNotContain("epoch", result.Error, StringComparison.Ordinal);
            Assert.Equal(["data.csv"], _folder.Files());
            var line = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("mlnetbn: ", StringComparison.Ordinal));
            Assert.Contains("stand-in of ML.NET, which has no ONNX converter", line, StringComparison.Ordinal);
        }
    }
}

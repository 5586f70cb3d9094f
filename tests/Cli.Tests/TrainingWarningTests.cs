namespace MlNetBatchNorm.Cli.Tests;

public sealed class TrainingWarningTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_TinyMiniBatches_WarnsAndGoesOn()
    {
        _folder.Write("data.csv", ChurnTables.First(120));
        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", "--batch", "4", "--epochs", "2", "--out", "out");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("warning: ", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("out/model.onnx")));
    }
}

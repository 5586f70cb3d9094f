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
}

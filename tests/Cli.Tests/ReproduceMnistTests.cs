using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The very network and recipe of <c>reproduce mnist</c>, on a few hundred images made here: no digits are fetched.</summary>
public class ReproduceMnistTests
{
    [Fact]
    public void Mnist_ImagesMadeHere_TrainsTestsFoldsAndWrites()
    {
        using var folder = new TemporaryFolder();
        SampleImages.Write(folder, "data", training: 320, test: 100);

        var result = Tool.Run(folder.Path, "reproduce", "mnist", "--data", "data", "--out", "out", "--epochs", "6", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["loss.csv", "metrics.json", "model.batchnorm.onnx", "model.onnx", "report.html"],
            folder.Files().Where(file => file.StartsWith("out/", StringComparison.Ordinal)).Select(file => file[4..]));
        Assert.Contains("320 images of shape [1, 28, 28]", result.Error, StringComparison.Ordinal);
        Assert.Contains("epoch   6/6", result.Error, StringComparison.Ordinal);
        Assert.Contains("test accuracy", result.Output, StringComparison.Ordinal);
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var root = metrics.RootElement;
        Assert.Equal(3, root.GetProperty("seed").GetInt32());
        Assert.Equal(73_082, root.GetProperty("parameters").GetInt32());
        Assert.Equal(320, root.GetProperty("trainingRows").GetInt32());
        Assert.Equal(100, root.GetProperty("testRows").GetInt32());
        Assert.Equal(0, root.GetProperty("batchNormsAfter").GetInt32());
        Assert.True(root.GetProperty("largestRelativeDifference").GetDouble() < 1e-5);

        // Chance is 0.1.
        Assert.True(root.GetProperty("test").GetProperty("accuracy").GetDouble() > 0.5, result.Output);
    }

    [Fact]
    public void Mnist_NoData_SaysInOneLineHowToGetThem()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains(
            "scripts/mnist.sh",
            Tool.Run(folder.Path, "reproduce", "mnist", "--out", "out").RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }

    [Fact]
    public void Mnist_DamagedData_FailsInOneLineAndWritesNothing()
    {
        using var folder = new TemporaryFolder();
        SampleImages.Write(folder, "data", training: 20, test: 10);
        File.WriteAllBytes(folder.File("data/train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 20, 1, 2, 3]);

        var line = Tool.Run(folder.Path, "reproduce", "mnist", "--data", "data", "--out", "out").RequireOneLineOfError();

        Assert.Contains("train-labels-idx1-ubyte", line, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));
    }
}

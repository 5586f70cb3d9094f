using System.Text.Json;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The very networks and recipe of <c>reproduce fashion</c>, on a few hundred images made here: nothing is fetched.</summary>
public class ReproduceFashionTests
{
    [Fact]
    public void Fashion_ImagesMadeHere_TrainsAndTestsEveryNetwork()
    {
        using var folder = new TemporaryFolder();
        SampleImages.Write(folder, "data", training: 320, test: 100);

        var result = Tool.Run(
            folder.Path, "reproduce", "fashion", "--quick", "--data", "data", "--out", "out", "--epochs", "4", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["out/loss.csv", "out/metrics.json", "out/report.html"],
            folder.Files().Where(file => file.StartsWith("out/", StringComparison.Ordinal)));
        Assert.Contains("320 images of shape [1, 28, 28]", result.Error, StringComparison.Ordinal);
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var networks = metrics.RootElement.GetProperty("networks").EnumerateArray().ToArray();
        Assert.Equal(["batch", "none", "layer", "group"], networks.Select(network => network.GetProperty("normalization").GetString()));
        Assert.All(networks, network => Assert.InRange(network.GetProperty("parameters").GetInt64(), 160_000, 249_999));

        // Chance is 0.1; after ten steps batch normalization alone can be relied on.
        Assert.True(networks[0].GetProperty("testAccuracy").GetDouble() > 0.4, result.Output);
    }

    [Fact]
    public void Fashion_OneNetwork_TrainsThatAlone()
    {
        using var folder = new TemporaryFolder();
        SampleImages.Write(folder, "data", training: 64, test: 20);

        var result = Tool.Run(
            folder.Path, "reproduce", "fashion", "--data", "data", "--out", "out", "--epochs", "1", "--normalizations", "batch");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("| batch normalization |    163,378 |", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("without", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Fashion_NoData_SaysInOneLineHowToGetThem()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains(
            "scripts/mnist.sh fashion",
            Tool.Run(folder.Path, "reproduce", "fashion", "--out", "out").RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }

    [Fact]
    public void Fashion_UnknownNetwork_NamesTheOnesThereAre()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(folder.Path, "reproduce", "fashion", "--out", "out", "--normalizations", "batch,instance");

        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains("'instance'", result.Error, StringComparison.Ordinal);
        Assert.Contains("batch,none,layer,group", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void CreateNetwork_EveryNormalization_IsTheSameButForIt()
    {
        var (batch, none) = (FashionExperiment.CreateNetwork(Normalization.Batch()), FashionExperiment.CreateNetwork(Normalization.None));

        // 7 normalizations, of 24, 3 × 48 and 3 × 96 channels, with gamma and beta for the bias of each convolution.
        Assert.Equal(163_378, batch.ParameterCount);
        Assert.Equal(24 + (3 * 48) + (3 * 96), batch.ParameterCount - none.ParameterCount);
        Assert.Equal(7, batch.Layers.Count(layer => layer.Kind == "batchnorm"));
    }
}

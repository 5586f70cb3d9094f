using System.Text.Json;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>reproduce bias</c>: what section 2 of Ioffe and Szegedy (2015) says of a bias in front of a normalization.</summary>
public class ReproduceBiasTests
{
    private const float Rate = 0.1f;

    [Fact]
    public void Train_MeanOutsideTheGradient_TheBiasGrowsByTheFormulaAndTheLossStays()
    {
        var rows = BiasExperiment.CreateRows(5);

        var (bias, loss) = BiasExperiment.Train(rows, new OutsideNormalizationLayer(false), 400, 1);

        // The mean of the normalized values is 0, so the gradient is minus the mean of the targets, in every step.
        var mean = rows.Targets.ToArray().Average(value => (double)value);
        Assert.All([1, 10, 100, 400], step => Assert.Equal(Rate * mean * step, bias[step], 1e-3 * step));
        Assert.InRange(loss.Max() - loss.Min(), 0, 1e-3 * loss[0]);
    }

    [Fact]
    public void Train_VarianceOutside_TheBiasGrowsByTheFormulaOverTheDeviation()
    {
        var rows = BiasExperiment.CreateRows(5);

        var (bias, loss) = BiasExperiment.Train(rows, new OutsideNormalizationLayer(true), 400, 1);

        var (mean, values) = (rows.Targets.ToArray().Average(value => (double)value), rows.Features.ToArray());
        var centre = values.Average(value => (double)value);
        var deviation = Math.Sqrt(values.Average(value => Math.Pow(value - centre, 2)));
        Assert.All([1, 10, 100, 400], step => Assert.Equal(Rate * mean / deviation * step, bias[step], 1e-3 * step));
        Assert.InRange(loss.Max() - loss.Min(), 0, 1e-3 * loss[0]);
    }

    [Fact]
    public void Train_BatchNorm_TheBiasStaysWhereItIs()
    {
        var layer = Normalization.Create(new BatchNormOptions { Scale = false, Center = false });

        var (bias, loss) = BiasExperiment.Train(BiasExperiment.CreateRows(5), layer, 400, 1);

        Assert.All(bias, value => Assert.InRange(value, -1e-4, 1e-4));
        Assert.InRange(loss.Max() - loss.Min(), 0, 1e-3 * loss[0]);
    }

    [Fact]
    public void Bias_Quick_InANetworkBiasesGrowWhileBatchNormLeavesThem()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(
            folder.Path, "reproduce", "bias", "--quick", "--data", SampleTables.PathOf("letters.csv"), "--out", "out", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            [
                "out", "out/bias.csv", "out/loss.csv", "out/metrics.json", "out/network-bias.csv", "out/network-loss.csv",
                "out/report.html",
            ],
            folder.Files());
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var networks = metrics.RootElement.GetProperty("network").EnumerateArray().ToArray();
        var biases = networks.Select(network => network.GetProperty("largestBias").GetDouble()).ToArray();
        var halfway = networks.Select(network => network.GetProperty("halfway").GetProperty("largestBias").GetDouble()).ToArray();
        Assert.Equal(3, networks.Length);

        // With the mean outside the bias goes on growing, from the first half of the steps to the second.
        Assert.True(biases[0] > 1.5 * halfway[0], $"{halfway[0]} → {biases[0]}");
        Assert.True(biases[0] > 0.1, $"{biases[0]}");
        Assert.InRange(biases[2], 0, 1e-5);
        Assert.True(networks[0].GetProperty("firstGradient").GetDouble() > 1e4 * networks[2].GetProperty("firstGradient").GetDouble());
        Assert.Contains("A bias alone: after 500 steps", result.Output, StringComparison.Ordinal);
    }
}

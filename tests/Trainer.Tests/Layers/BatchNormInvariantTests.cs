using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

/// <summary>What must hold of batch normalization whatever the numbers (Ioffe and Szegedy 2015, sections 3 and 3.3).</summary>
public class BatchNormInvariantTests
{
    private const int Rows = 6;
    private static readonly SampleShape Shape = new(4);

    [Fact]
    public void GammaDeviationAndBetaMean_RestoreTheInput()
    {
        var layer = new BatchNormLayer();
        using var probe = new LayerProbe(layer, Shape);
        var x = GradientCheck.Values(new Random(1), Rows * 4);
        var batch = probe.Train(Rows, x, x, Parameters(probe, 1));
        var parameters = Parameters(probe, 1);
        parameters["batchnorm1.beta"] = batch["batch.batchnorm1.mean"];
        parameters["batchnorm1.gamma"] = Array.ConvertAll(
            batch["batch.batchnorm1.variance"], variance => MathF.Sqrt(variance + layer.Epsilon));
        GradientCheck.Close("y", Array.ConvertAll(x, value => (double)value), probe.Train(Rows, x, x, parameters)["y"], 1e-6);
    }

    [Theory]
    [InlineData(0.5f)]
    [InlineData(3)]
    [InlineData(100)]
    public void WeightsTimesA_GiveTheSameOutputAndInputGradientAndOneOverAOfTheWeightGradient(float a)
    {
        // ε breaks the invariance by about ε/σ²; without it, it is exact.
        var block = new ResidualLayer(Network.Input(4).Dense(4).BatchNorm(epsilon: 0).Stack)
        {
            Projection = Network.Input(4).Dense(4, bias: false).Stack,
        };
        using var probe = new LayerProbe(block, Shape);
        var random = new Random(2);
        var x = GradientCheck.Values(random, Rows * 4);
        var dy = GradientCheck.Values(random, Rows * 4);
        var parameters = Parameters(probe, 0);
        parameters["residual1/batchnorm1.gamma"] = GradientCheck.Values(random, 4);
        parameters["residual1/dense1.weight"] = GradientCheck.Values(random, 16);
        var plain = probe.Train(Rows, x, dy, parameters);
        parameters["residual1/dense1.weight"] = Array.ConvertAll(parameters["residual1/dense1.weight"], weight => a * weight);
        var scaled = probe.Train(Rows, x, dy, parameters);
        GradientCheck.Close("y", Exact(plain["y"]), scaled["y"], 1e-5);
        GradientCheck.Close("dx", Exact(plain["dx"]), scaled["dx"], 1e-4);
        GradientCheck.Close(
            "a·dW",
            Exact(plain["d.residual1/dense1.weight"]),
            Array.ConvertAll(scaled["d.residual1/dense1.weight"], value => a * value),
            1e-4);
    }

    [Fact]
    public void BiasBefore_HasZeroGradient()
    {
        var block = new ResidualLayer(Network.Input(4).Dense(4, bias: true).BatchNorm().Stack);
        using var probe = new LayerProbe(block, Shape);
        var random = new Random(3);
        var parameters = probe.Parameters.ToDictionary(
            parameter => parameter.Name, parameter => GradientCheck.Values(random, parameter.Count));
        var outputs = probe.Train(Rows, GradientCheck.Values(random, Rows * 4), GradientCheck.Values(random, Rows * 4), parameters);
        Assert.All(outputs["d.residual1/dense1.bias"], value => Assert.Equal(0, value, 1e-5f));
    }

    [Fact]
    public void ConstantAddedToAFeature_ChangesNothing()
    {
        using var probe = new LayerProbe(new BatchNormLayer(), Shape);
        var random = new Random(4);
        var x = GradientCheck.Values(random, Rows * 4);
        var dy = GradientCheck.Values(random, Rows * 4);
        var before = probe.Train(Rows, x, dy, Parameters(probe, 1));
        var after = probe.Train(Rows, [.. x.Select((value, index) => value + (10 * (index % 4)))], dy, Parameters(probe, 1));
        foreach (var name in new[] { "y", "dx", "d.batchnorm1.gamma", "d.batchnorm1.beta", "batch.batchnorm1.variance" })
            GradientCheck.Close(name, Exact(before[name]), after[name], 1e-5);
    }

    private static double[] Exact(float[] values) => Array.ConvertAll(values, value => (double)value);

    private static Dictionary<string, float[]> Parameters(LayerProbe probe, float value) =>
        probe.Parameters.ToDictionary(parameter => parameter.Name, parameter => Enumerable.Repeat(value, parameter.Count).ToArray());
}

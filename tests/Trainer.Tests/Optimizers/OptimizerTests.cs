using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Optimizers;

public class OptimizerTests
{
    public static TheoryData<Func<Optimizer>> OutOfRange =>
    [
        () => Optimizer.Sgd(0),
        () => Optimizer.Sgd(float.NaN),
        () => Optimizer.Sgd(0.1f, momentum: 1),
        () => Optimizer.Sgd(0.1f, weightDecay: -1),
        () => Optimizer.Nesterov(0.1f, momentum: 0),
        () => Optimizer.Nesterov(0.1f, momentum: 1),
        () => Optimizer.Adam(beta1: 1),
        () => Optimizer.Adam(beta2: -0.1f),
        () => Optimizer.Adam(epsilon: 0),
        () => Optimizer.AdamW(weightDecay: -1),
    ];

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Optimizer_SettingOutOfItsRange_Throws(Func<Optimizer> create) => Assert.Throws<ArgumentOutOfRangeException>(create);

    [Theory]
    [InlineData(0f)]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void TrainingStep_GradientNormOutOfItsRange_SaysTheRange(float norm)
    {
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingStep(
            Network.Input(1).Dense(1), Loss.SquaredError, Optimizer.Sgd(),
            RunningStatistics.PyTorch(), 4, new Random(0), maximumGradientNorm: norm));
        Assert.Contains("above 0", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AdamW_ZeroGradient_ShrinksWeightsButNotBiasesGammaAndBeta()
    {
        var network = Network.Input(2).Dense(3).BatchNorm().Dense(2);
        using var step = new TrainingStep(
            network, Loss.SquaredError, Optimizer.AdamW(0.1f, weightDecay: 0.5f),
            RunningStatistics.PyTorch(), 2, new Random(0), weighted: true);
        step.Parameter("dense2.bias").Fill(1);
        var before = network.Parameters.ToDictionary(parameter => parameter.Name, parameter => step.Parameter(parameter.Name).ToArray());
        // Rows of weight 0 have no gradient.
        step.RowWeights.Clear();

        step.Run(2, 0.1f);

        foreach (var name in new[] { "dense1.weight", "dense2.weight" })
            Assert.All(before[name].Zip(step.Parameter(name).ToArray()), pair => Assert.Equal(pair.First * 0.95f, pair.Second, 1e-6f));
        foreach (var name in new[] { "dense2.bias", "batchnorm1.gamma", "batchnorm1.beta" })
            Assert.Equal(before[name], step.Parameter(name).ToArray());
    }
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Results;
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

    [Theory]
    [InlineData(-0.1f)]
    [InlineData(1f)]
    [InlineData(float.NaN)]
    public void WeightAveraging_OutOfItsRange_SaysTheRange(float share) => Assert.Contains(
        "from 0 (no average) to below 1",
        Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingOptions { WeightAveraging = share }.Validate()).Message,
        StringComparison.Ordinal);

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

    [Theory]
    [InlineData("sgd")]
    [InlineData("sgd:0.9")]
    [InlineData("adamw")]
    public void WeightAveraging_SomeSteps_FollowsTheWeightsAtItsRate(string optimizer)
    {
        const float decay = 0.8f;
        var network = Network.Input(3).Dense(4).BatchNorm().Tanh().Dense(2);
        using var plain = Step(0);
        using var averaged = Step(decay);
        var sums = network.Parameters.ToDictionary(parameter => parameter.Name, parameter => new double[parameter.Count]);
        var random = new Random(5);
        Assert.Equal(plain.Parameter("dense1.weight").ToArray(), averaged.Parameter("dense1.weight").ToArray());
        for (var i = 1; i <= 60; i++)
        {
            for (var at = 0; at < 24; at++) averaged.Features.Span[at] = plain.Features.Span[at] = random.NextSingle();
            for (var at = 0; at < 16; at++) averaged.Targets.Span[at] = plain.Targets.Span[at] = random.NextSingle();
            Assert.Equal(plain.Run(8, 0.05f), averaged.Run(8, 0.05f));
            // From 1 down to 1 − decay.
            var rate = Math.Max(0.2, 10.0 / (9 + i));
            foreach (var (name, sum) in sums)
            {
                var weights = plain.Parameter(name);
                for (var at = 0; at < sum.Length; at++) sum[at] += rate * (weights[at] - sum[at]);
            }
        }

        foreach (var parameter in network.Parameters)
        {
            var mean = sums[parameter.Name];
            var kept = averaged.Parameter(parameter.Name);
            for (var at = 0; at < kept.Length; at++)
            {
                var expected = parameter.Role == ParameterRole.Statistic ? plain.Parameter(parameter.Name)[at] : mean[at];
                Assert.Equal(expected, kept[at], 1e-5);
            }
        }

        TrainingStep Step(float averaging) => new(
            network, Loss.SquaredError, Optimizer.Parse(optimizer, 0.05f),
            RunningStatistics.PyTorch(), 8, new Random(3), weightAveraging: averaging);
    }

    [Fact]
    public void WeightAveraging_Training_KeepsAndExportsWhatWasMeasured()
    {
        var random = new Random(2);
        float[] features = [.. Enumerable.Range(0, 400).Select(_ => random.NextSingle() - 0.5f)];
        float[] targets = [.. features.Chunk(2).Select(row => row[0] * row[1] > 0 ? 1f : 0f)];
        var rows = new TrainingData(new SampleShape(2), 1, features, targets);
        var options = new TrainingOptions { Epochs = 6, BatchSize = 32, WeightAveraging = 0.95f, StandardizeFeatures = false };
        var network = Network.Input(2).Dense(8).BatchNorm().Relu().Dense(1);

        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, options, rows);

        using var scorer = OnnxScorer.Load(NetworkExporter.Export(trained, rows).Folded);
        var loss = ModelEvaluation.Score(scorer, rows.FeatureRows).Take(rows.Count)
            .Select((z, row) => Math.Log(1 + Math.Exp(targets[row] > 0 ? -z : z))).Average();
        Assert.Equal(trained.Best.Validation!.Loss, loss, 1e-5);
        var last = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, options with { WeightAveraging = 0 }, rows);
        Assert.Equal(last.History[0].Loss, trained.History[0].Loss);
        Assert.NotEqual(last.History[0].Validation!.Loss, trained.History[0].Validation!.Loss);
    }
}

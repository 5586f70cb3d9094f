using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Tests.Gradients;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Statistics;

public class RunningStatisticsTests
{
    private const double Rate = 0.1;

    // Each rule, what it makes of the batches' values by its own definition, and whether it averages the unbiased variance.
    private static readonly Dictionary<string, (RunningStatistics Rule, Func<double[], double, double> Expected, bool Unbiased)> Rules =
        new()
        {
            ["pytorch"] = (
            RunningStatistics.PyTorch(), (batches, start) => batches.Aggregate(start, (r, b) => ((1 - Rate) * r) + (Rate * b)), true),
            ["average"] = (
            RunningStatistics.MovingAverage(0.3f, unbiased: false),
            (batches, start) => batches.Aggregate(start, (r, b) => ((1 - (double)0.3f) * r) + ((double)0.3f * b)),
            false),
            ["keras"] = (
                RunningStatistics.Keras(0.9f), (batches, start) => batches.Aggregate(start, (r, b) => (0.9 * r) + (0.1 * b)), false),
            ["zero-debiased"] = (RunningStatistics.MovingAverage(correctStart: true), (batches, _) =>
                batches.Aggregate(0.0, (d, b) => ((1 - Rate) * d) + (Rate * b)) / (1 - Math.Pow(1 - Rate, batches.Length)), true),
            ["cumulative"] = (RunningStatistics.Cumulative, (batches, _) => batches.Average(), true),
        };

    public static TheoryData<string> Names => [.. Rules.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Steps_FollowTheRule(string name)
    {
        var (rule, expected, unbiased) = Rules[name];
        const int batchSize = 5;
        using var step = new TrainingStep(
            Network.Input(1).BatchNorm().Dense(1), Loss.SquaredError, Optimizer.Sgd(), rule, batchSize, new Random(1));
        var random = new Random(2);
        var (means, variances) = (new List<double>(), new List<double>());
        for (var t = 0; t < 12; t++)
        {
            var x = Array.ConvertAll(GradientCheck.Values(random, batchSize), value => (2 * value) + 3);
            x.CopyTo(step.Features.Span);
            step.Run(batchSize, 0.01f);
            var mean = x.Average(value => (double)value);
            means.Add(mean);
            variances.Add(x.Sum(value => (value - mean) * (value - mean)) / (unbiased ? batchSize - 1 : batchSize));
            Assert.Equal(expected([.. means], 0), step.Parameter("batchnorm1.mean")[0], 1e-4);
            Assert.Equal(expected([.. variances], 1), step.Parameter("batchnorm1.variance")[0], 1e-4);
        }
    }

    [Fact]
    public void Population_AfterTraining_AreTheStatisticsOfTheRows()
    {
        var rows = Rows(1000, 3);
        var trained = Train(rows, RunningStatistics.Population, standardize: false);
        for (var feature = 0; feature < 3; feature++)
        {
            // Batches of 100 divide the rows, so the mean of their means is the mean; their variances leave out the little between them.
            var values = Enumerable.Range(0, rows.Count).Select(row => (double)rows.Row(row)[feature]).ToArray();
            var mean = values.Average();
            var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
            Assert.Equal(mean, trained.ParameterArrays["batchnorm1.mean"][feature], 1e-4);
            Assert.Equal(1, Math.Sqrt(trained.ParameterArrays["batchnorm1.variance"][feature]) / deviation, 0.02);
        }

        Assert.Empty(trained.Warnings);
    }

    [Fact]
    public void RecomputeStatistics_OnTheTrainingRows_GivesThePopulationsAndLeavesTheOriginal()
    {
        var rows = Rows(1000, 3);
        var trained = Train(rows, RunningStatistics.Keras(0.999f), standardize: false);
        var before = trained.ParameterArrays["batchnorm1.mean"].ToArray();
        var recomputed = trained.RecomputeStatistics(rows, 100);
        Assert.Equal(before, trained.ParameterArrays["batchnorm1.mean"]);
        Assert.All(recomputed.ParameterArrays["batchnorm1.mean"], mean => Assert.Equal(5, mean, 0.3f));
        Assert.All(recomputed.ParameterArrays["batchnorm1.variance"], variance => Assert.Equal(4, variance, 0.5f));
        Assert.Same(trained.ParameterArrays["dense1.weight"], recomputed.ParameterArrays["dense1.weight"]);
        Assert.True(recomputed.Statistics.IsPopulation);
        Assert.Contains(trained.Warnings, warning => warning.Kind == TrainingWarningKind.StatisticsFarFromPopulation);
        Assert.Empty(recomputed.Warnings);
    }

    [Fact]
    public void RecomputeStatistics_StandardizedNetwork_StandardizesTheRowsFirst()
    {
        var rows = Rows(1000, 3);
        var recomputed = Train(rows, RunningStatistics.PyTorch(), standardize: true).RecomputeStatistics(rows, 100);
        Assert.All(recomputed.ParameterArrays["batchnorm1.mean"], mean => Assert.Equal(0, mean, 1e-4f));
        Assert.All(recomputed.ParameterArrays["batchnorm1.variance"], variance => Assert.Equal(1, variance, 0.05f));
    }

    [Fact]
    public void RecomputeStatistics_RowsOfAnotherShape_SaysWhichShapeFits()
    {
        var trained = Train(Rows(50, 3), RunningStatistics.PyTorch(), standardize: true);
        Assert.Contains(
            "[3]", Assert.Throws<ArgumentException>(() => trained.RecomputeStatistics(Rows(50, 4))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UselessMomentum_IsAnErrorThatSaysWhichConvention()
    {
        Assert.Contains(
            "PyTorch", Assert.Throws<ArgumentOutOfRangeException>(() => RunningStatistics.PyTorch(0)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "Keras", Assert.Throws<ArgumentOutOfRangeException>(() => RunningStatistics.Keras(1)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "moving average",
            Assert.Throws<ArgumentOutOfRangeException>(() => RunningStatistics.MovingAverage(0, correctStart: true)).Message,
            StringComparison.Ordinal);
    }

    // By what .NET itself does.
    [Theory]
    [InlineData(1000, 50)]
    [InlineData(10, 9)]
    [InlineData(10, 10)]
    [InlineData(1, 1)]
    public void FirstShuffled_SomeOfMany_AreTheFirstOfAllWhenShuffled(int count, int wanted)
    {
        int[] all = [.. Enumerable.Range(0, count)];
        new Random(4).Shuffle(all);

        Assert.Equal(all[..wanted], PopulationStatistics.FirstShuffled(count, wanted, new Random(4)));
    }

    internal static TrainingData Rows(int count, int features)
    {
        var random = new Random(7);
        var x = Array.ConvertAll(GradientCheck.Values(random, count * features), value => (2 * value) + 5);
        var y = new float[count];
        for (var row = 0; row < count; row++) y[row] = x[row * features] > 5 ? 1 : 0;
        return new TrainingData(new SampleShape(features), 1, x, y);
    }

    internal static TrainedNetwork Train(TrainingData rows, RunningStatistics statistics, bool standardize) => NetworkTrainer.Train(
        Network.Input((int)rows.Shape.Channels).BatchNorm().Dense(1),
        Loss.SigmoidCrossEntropy,
        rows,
        new TrainingOptions
        {
            Epochs = 2,
            BatchSize = 100,
            ValidationFraction = 0,
            Statistics = statistics,
            StandardizeFeatures = standardize,
        });
}

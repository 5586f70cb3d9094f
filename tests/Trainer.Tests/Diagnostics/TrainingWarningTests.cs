using MlNetBatchNorm.Trainer.Tests.Statistics;

namespace MlNetBatchNorm.Trainer.Tests.Diagnostics;

public class TrainingWarningTests
{
    [Fact]
    public void Train_DefaultsOnPlainRows_GivesNoWarning() =>
        Assert.Empty(Train(Network.FeedForward(3, [16, 8], 1), new TrainingOptions { Epochs = 10, BatchSize = 32 }));

    [Fact]
    public void Train_FewerThanEightValuesOfAChannel_Warns()
    {
        var warning = Single(Network.FeedForward(3, [4], 1), new TrainingOptions { BatchSize = 4 }, TrainingWarningKind.SmallBatch);
        Assert.Equal("batchnorm1", warning.Layer);
        Assert.Contains("4 values", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_SmallGhostBatches_Warn() => Single(
        Network.Input(3).Dense(4).BatchNorm(new BatchNormOptions { GhostBatchSize = 4 }).Dense(1),
        new TrainingOptions { BatchSize = 64 },
        TrainingWarningKind.SmallBatch);

    [Fact]
    public void Train_SmallBatchWithoutBatchNorm_IsFine() =>
        Assert.Empty(Train(Network.FeedForward(3, [4], 1, normalization: Normalization.None), new TrainingOptions { BatchSize = 2 }));

    [Fact]
    public void Train_DropoutInFrontOfBatchNorm_Warns()
    {
        var network = Network.Input(3).Dense(4).Dropout(0.5f).Dense(4).BatchNorm().Dense(1);
        var warning = Single(network, new TrainingOptions { BatchSize = 64 }, TrainingWarningKind.DropoutBeforeBatchNorm);
        Assert.Contains("'dropout1'", warning.Message, StringComparison.Ordinal);
        Assert.Contains("'batchnorm1'", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_DropoutBehindTheLastBatchNorm_IsFine() =>
        Assert.Empty(Train(Network.FeedForward(3, [16], 1, dropout: 0.2f), new TrainingOptions { Epochs = 10, BatchSize = 32 }));

    [Fact]
    public void Train_MomentumOfOne_Warns() => Single(
        Network.FeedForward(3, [4], 1),
        new TrainingOptions { BatchSize = 64, Statistics = RunningStatistics.PyTorch(1) },
        TrainingWarningKind.LastBatchStatistics);

    [Fact]
    public void Train_MomentumTooSlowForTheSteps_WarnsAndSaysHowFar()
    {
        var options =
            new TrainingOptions { Epochs = 1, BatchSize = 64, Statistics = RunningStatistics.Keras(0.999f), StandardizeFeatures = false };
        Single(Network.Input(3).BatchNorm().Dense(1), options, TrainingWarningKind.StatisticsFarFromPopulation);
        Assert.Empty(Train(Network.Input(3).BatchNorm().Dense(1), options with { StatisticsTolerance = double.PositiveInfinity }));
    }

    [Fact]
    public void Train_Warning_IsCalledBackToo()
    {
        var seen = new List<TrainingWarning>();
        var all = Train(Network.FeedForward(3, [4], 1), new TrainingOptions { Epochs = 1, BatchSize = 4, Warning = seen.Add });
        Assert.NotEmpty(seen);
        Assert.Equal(all, seen);
    }

    private static TrainingWarning Single(Network network, TrainingOptions options, TrainingWarningKind kind) =>
        Assert.Single(Train(network, options with { Epochs = 1 }), warning => warning.Kind == kind);

    private static IReadOnlyList<TrainingWarning> Train(Network network, TrainingOptions options) =>
        NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, RunningStatisticsTests.Rows(600, 3), options).Warnings;
}

using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Tests.Distribution;

/// <summary>Trainings of several ranks: what all of them learn of the rows of all, and that they end with the same network.</summary>
public sealed class RankedTrainingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void Train_UnevenShares_EveryRankHasTheSameNetworkAndItLearns(int size, bool sync)
    {
        var all = Rows(403, seed: 1);
        var trained = new TrainedNetwork[size];
        Threads.Run(size, ranks => trained[ranks.Rank] = NetworkTrainer.Train(
            Network.Input(4).Dense(16).BatchNorm().Relu().Dense(1),
            Loss.SigmoidCrossEntropy,
            Share(all, ranks),
            new TrainingOptions
            {
                Epochs = 12,
                BatchSize = 16,
                Communicator = ranks,
                SyncStatistics = sync,
                Threads = 1,
                Optimizer = Optimizer.AdamW(0.02f),
            }));

        foreach (var other in trained)
        {
            Assert.Equal(trained[0].History.Select(report => report.Loss), other.History.Select(report => report.Loss));
            Assert.Equal(
                trained[0].History.Select(report => report.Validation!.Loss), other.History.Select(report => report.Validation!.Loss));
            foreach (var parameter in trained[0].Network.Parameters)
                Assert.Equal(trained[0].Parameters[parameter.Name].ToArray(), other.Parameters[parameter.Name].ToArray());
        }

        Assert.True(trained[0].Best.Validation!.Loss < 0.35, $"The validation loss is {trained[0].Best.Validation!.Loss}.");
    }

    [Fact]
    public void Fit_OverRanks_IsTheStandardizationOfAllRows()
    {
        var all = Rows(101, seed: 2);
        var expected = Standardization.Fit(all);
        Threads.Run(3, ranks =>
        {
            var actual = Standardization.Fit(Share(all, ranks), ranks: ranks);
            for (var i = 0; i < 4; i++)
            {
                Assert.Equal(expected.Mean[i], actual.Mean[i], 1e-12);
                Assert.Equal(expected.StandardDeviation[i], actual.StandardDeviation[i], 1e-12);
            }
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sample_OfFewRows_IsAllOfThem(bool sparse)
    {
        var all = sparse ? SparseRows(37) : Rows(37, seed: 3);
        Threads.Run(4, ranks =>
        {
            var shared = new SharedRows(ranks, Share(all, ranks)).Sample(1000);
            Assert.Equal(all.FeatureArray, shared.FeatureArray);
            Assert.Equal(all.TargetArray, shared.TargetArray);
        });
        Assert.Equal(sparse, all.FeatureRows.IsSparse);
    }

    [Fact]
    public void Train_EnsembleOfEncodedNumbers_IsTheSameOnAllRanks()
    {
        var all = Rows(300, seed: 4);
        var trained = new TrainedNetwork[2];
        Threads.Run(2, ranks => trained[ranks.Rank] = NetworkTrainer.Train(
            Network.Input(4).Members(3, member => member.Dense(8).BatchNorm().Relu().Dense(1)),
            Loss.SigmoidCrossEntropy,
            Share(all, ranks),
            new TrainingOptions
            {
                Epochs = 6,
                BatchSize = 25,
                Communicator = ranks,
                NumericEncoding = NumericEncoding.PiecewiseLinear(),
                Threads = 1,
                Optimizer = Optimizer.AdamW(0.02f),
            }));

        Assert.Equal(trained[0].Temperature, trained[1].Temperature);
        Assert.Equal(trained[0].OutOfFold!.Metrics.Loss, trained[1].OutOfFold!.Metrics.Loss);
        Assert.Equal(150, trained[1].OutOfFold!.Predictions.Length);
        foreach (var parameter in trained[0].Network.Parameters)
            Assert.Equal(trained[0].Parameters[parameter.Name].ToArray(), trained[1].Parameters[parameter.Name].ToArray());
        Assert.True(trained[0].OutOfFold!.Metrics.Loss < 0.6, $"The out-of-fold loss is {trained[0].OutOfFold!.Metrics.Loss}.");
    }

    [Fact]
    public void Train_StoppedAndResumedByAsMany_EndsWithTheSameBits()
    {
        var path = Path.Combine(_folder, "checkpoint.onnx");
        var (whole, part) = (new float[2][], new float[2][]);
        Threads.Run(2, ranks => whole[ranks.Rank] = Weights(Train(ranks, null, 6)));
        Threads.Run(2, ranks => Assert.Throws<TimeoutException>(() => Train(ranks, path, 3)));
        Threads.Run(2, ranks => part[ranks.Rank] = Weights(Train(ranks, path, 6)));

        Assert.Equal(whole[0], part[0]);
        Assert.Equal(whole[0], part[1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Train_ResumedByAnotherNumberOfRanks_GoesOnAndSaysSo(int size)
    {
        var path = Path.Combine(_folder, "checkpoint.onnx");
        Threads.Run(2, ranks => Assert.Throws<TimeoutException>(() => Train(ranks, path, 3)));
        var losses = new List<double>[size];
        var warnings = new List<TrainingWarningKind>();
        Threads.Run(size, ranks => losses[ranks.Rank] = [.. Train(ranks, path, 6, warnings).History.Select(report => report.Loss)]);

        Assert.Equal(6, losses[0].Count);
        Assert.Contains(TrainingWarningKind.OtherRanks, warnings);
        Assert.True(losses[0][3] < losses[0][0], $"After it was resumed, the loss is {losses[0][3]}; it began with {losses[0][0]}.");
    }

    [Fact]
    public void Train_AFeatureThatIsNoNumberOnOneRank_FailsOnAll()
    {
        var failures = new Exception?[2];
        var thrown = Assert.ThrowsAny<Exception>(() => Threads.Run(2, ranks =>
        {
            try
            {
                NetworkTrainer.Train(
                    Network.Input(ranks.Rank == 1 ? 3 : 4).Dense(1), Loss.SquaredError, Rows(20, seed: 5),
                    new TrainingOptions { Communicator = ranks });
            }
            catch (Exception exception)
            {
                failures[ranks.Rank] = exception;
                throw;
            }
        }));

        Assert.IsType<ArgumentException>(failures[1], exactMatch: false);
        Assert.Contains("Rank 1 failed: The network takes rows of shape", failures[0]!.Message, StringComparison.Ordinal);
        Assert.NotNull(thrown);
    }

    [Fact]
    public void Train_ARankWithTooFewRows_SaysWhich()
    {
        var thrown = Assert.ThrowsAny<ArgumentException>(() => Threads.Run(2, ranks => NetworkTrainer.Train(
            Network.Input(4).Dense(4).BatchNorm().Dense(1),
            Loss.SigmoidCrossEntropy,
            Rows(ranks.Rank == 0 ? 400 : 10, seed: 6),
            new TrainingOptions { Communicator = ranks, BatchSize = 16, ValidationFraction = 0 })));

        Assert.Contains("Rank 1 has 10 rows", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_CancelledOnOneRank_EndsOnAll()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        var ended = new bool[2];
        Assert.ThrowsAny<OperationCanceledException>(() => Threads.Run(2, ranks =>
        {
            try
            {
                NetworkTrainer.Train(
                    Network.Input(4).Dense(1), Loss.SigmoidCrossEntropy, Rows(40, seed: 7),
                    new TrainingOptions { Communicator = ranks }, null, ranks.Rank == 1 ? cancelled.Token : default);
            }
            catch (OperationCanceledException)
            {
                ended[ranks.Rank] = true;
                throw;
            }
        }));

        Assert.Equal([true, true], ended);
    }

    private static TrainedNetwork Train(Communicator ranks, string? checkpoint, int epochs, List<TrainingWarningKind>? warnings = null) =>
        NetworkTrainer.Train(
            Network.Input(4).Dense(8).BatchNorm().Relu().Dropout(0.1f).Dense(1),
            Loss.SigmoidCrossEntropy,
            Share(Rows(240, seed: 8), ranks),
            new TrainingOptions
            {
                Epochs = 6,
                BatchSize = 20,
                Communicator = ranks,
                Threads = 1,
                Optimizer = Optimizer.AdamW(0.02f),
                Checkpoint = checkpoint is null ? null : new CheckpointOptions(checkpoint) { Resume = true, Keep = true },
                Progress = report =>
                {
                    if (report.Epoch == epochs && epochs < 6) throw new TimeoutException("as if it had been stopped");
                },
                Warning = warning =>
                {
                    lock (warnings ?? []) warnings?.Add(warning.Kind);
                },
            });

    private static float[] Weights(TrainedNetwork trained) =>
        [.. trained.Network.Parameters.SelectMany(parameter => trained.Parameters[parameter.Name].ToArray())];

    private static TrainingData Share(TrainingData rows, Communicator ranks) => rows.Select([.. Enumerable
        .Range(0, rows.Count).Where(row => (long)row * ranks.Size / rows.Count == ranks.Rank)]);

    // Two classes that a plane divides, nearly.
    private static TrainingData Rows(int count, int seed)
    {
        var random = new Random(seed);
        var (features, targets) = (new float[count * 4], new float[count]);
        for (var row = 0; row < count; row++)
        {
            for (var i = 0; i < 4; i++) features[(row * 4) + i] = (float)((random.NextDouble() * 2) - 1 + i);
            targets[row] = features[row * 4] + (features[(row * 4) + 1] * 0.7) > 0.7 + (random.NextDouble() * 0.1) ? 1 : 0;
        }

        return new TrainingData(new SampleShape(4), 1, features, targets);
    }

    private static TrainingData SparseRows(int count)
    {
        var builder = new FeatureRows.Builder(100, blockValues: 1);
        for (var row = 0; row < count; row++) builder.Add([1, 2], [row % 50, 50 + (row % 49)], false);
        return new TrainingData(new SampleShape(100), 1, builder.Build(), [.. Enumerable.Range(0, count).Select(row => (float)row)]);
    }
}

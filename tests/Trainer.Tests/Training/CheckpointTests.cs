using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Tests.Files;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>A training that is stopped and goes on ends, bit for bit, where an uninterrupted one ends.</summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("checkpoint-");

    private static readonly TrainingOptions Quick =
        new() { Epochs = 6, BatchSize = 16, EarlyStoppingPatience = 0, Optimizer = Optimizer.AdamW(1e-2f), Seed = 4 };

    private static readonly Dictionary<string, TrainingOptions> Trainings = new()
    {
        ["sgd, constant"] = Quick with { Optimizer = Optimizer.Sgd(0.05f) },
        ["momentum, steps, keras"] = Quick with
        {
            Optimizer = Optimizer.Sgd(0.02f, 0.9f, 1e-3f),
            Schedule = LearningRateSchedule.Step(),
            Statistics = RunningStatistics.Keras(0.9f),
        },
        ["nesterov, warm-up, cumulative"] = Quick with
        {
            Optimizer = Optimizer.Nesterov(0.02f),
            Schedule = LearningRateSchedule.WarmUp(0.3),
            Statistics = RunningStatistics.Parse("cumulative"),
        },
        ["adam, clipping, debiased"] = Quick with
        {
            Optimizer = Optimizer.Adam(1e-2f),
            MaximumGradientNorm = 0.5f,
            Statistics = RunningStatistics.Parse("debiased"),
        },
        ["adamw, cosine, population"] = Quick with
        {
            Schedule = LearningRateSchedule.Cosine(0.2),
            Statistics = RunningStatistics.Population,
        },
        ["no validation rows"] = Quick with { ValidationFraction = 0, Statistics = RunningStatistics.Population },
        ["averaged weights, adamw, population"] = Quick with { WeightAveraging = 0.9f, Statistics = RunningStatistics.Population },
        ["averaged weights, sgd"] = Quick with { WeightAveraging = 0.9f, Optimizer = Optimizer.Sgd(0.05f) },
        ["no standardization"] = Quick with { StandardizeFeatures = false },
        ["early stopping"] = Quick with { Epochs = 40, EarlyStoppingPatience = 3, Optimizer = Optimizer.AdamW(0.2f) },
    };

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (var name in Trainings.Keys)
                foreach (var epoch in new[] { 1, 2, 5 }) cases.Add(name, epoch);
            return cases;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Resume_AfterAnEpoch_GivesTheSameBits(string training, int stopAfter) =>
        RequireSame(Network.Input(3).Dense(8).BatchNorm().Relu().Dense(1), Rings(90), Trainings[training], stopAfter);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Resume_Dropout_DrawsOnWhereItWas(int stopAfter) => RequireSame(
        Network.Input(3).Dense(16).BatchNorm().Relu().Dropout(0.3f).Dense(8).Relu().Dropout(0.5f).Dense(1), Rings(90), Quick, stopAfter);

    [Fact]
    public void Resume_AugmentedImagesWithWeights_DrawOnWhereTheyWere()
    {
        var random = new Random(2);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];
        var rows = new TrainingData(
            new SampleShape(1, 6, 6), 1, Values(80 * 36), [.. Values(80).Select(value => value > 0.5f ? 1f : 0f)], Values(80));
        var network = Network.Input(1, 6, 6).Conv2d(4, 3).Add(
            new BatchNormLayer { GhostBatchSize = 4 }).Relu().GlobalAveragePool().Dense(1);
        RequireSame(network, rows, Quick with { Augmentation = Augmentation.Shift(1), Epochs = 4 }, 2);
    }

    [Fact]
    public void Resume_NumbersWithFrozenStatistics_GivesTheSameBits()
    {
        var rows = Rings(90);
        var numbers = new TrainingData(
            rows.Shape, 1, rows.FeatureArray, [.. rows.FeatureArray.Chunk(3).Select(row => 1000 + (50 * row[0] * row[1]))]);
        var network = Network.Input(3).Dense(8).Add(new BatchNormLayer { Frozen = true }).Tanh().Dense(8).BatchNorm().Dense(1);
        RequireSame(network, numbers, Quick, 3, Loss.Huber());
    }

    [Fact]
    public void Resume_StoppedInTheMiddleOfAnEpoch_GoesOnFromTheOneBefore()
    {
        using var source = new CancellationTokenSource();
        // The sixteenth row of the third epoch: each row is asked for once in an epoch, behind 81 of the others.
        var asked = 100_000;
        var stopping = new StoppingAugmentation(() =>
        {
            if (++asked == (2 * 81) + 16) source.Cancel();
        });
        var options = Quick with { Augmentation = stopping };
        var whole = Train(options);
        asked = 0;
        Assert.Throws<OperationCanceledException>(
            () => NetworkTrainer.Train(Architecture(), Loss.SigmoidCrossEntropy, Rings(90), Kept(options), null, source.Token));
        asked = 100_000;

        var reports = new List<EpochReport>();
        var resumed = Train(Kept(options) with { Progress = reports.Add });

        Assert.Equal([3, 4, 5, 6], reports.Select(report => report.Epoch));
        RequireEqual(whole, resumed);
    }

    [Fact]
    public void Train_Done_LeavesNoFileBehind()
    {
        var seen = new List<bool>();
        Train(Kept(Quick) with { Progress = _ => seen.Add(File.Exists(FilePath)) });
        Assert.All(seen, Assert.True);
        Assert.Empty(_folder.GetFiles());
    }

    [Theory]
    [InlineData("all epochs", 1)]
    [InlineData("all epochs", 4)]
    [InlineData("early stopping", 4)]
    [InlineData("stopped by the caller", 1)]
    [InlineData("stopped by the caller", 4)]
    [InlineData("stopped by the caller, no validation rows", 4)]
    public void Train_DoneAndKept_GoesOnBehindItsLastEpoch(string how, int every)
    {
        var options = how switch
        {
            "early stopping" => Trainings["early stopping"],
            "stopped by the caller, no validation rows" => Trainings["no validation rows"],
            _ => Quick,
        };
        if (how.StartsWith("stopped", StringComparison.Ordinal))
            options = options with { Progress = report => { if (report.Epoch == 3) report.StopAfterThisEpoch(); } };
        var whole = Train(options);
        var checkpoint = new CheckpointOptions(FilePath) { EveryEpochs = every, Keep = true };
        RequireEqual(whole, Train(options with { Checkpoint = checkpoint }));
        Assert.True(File.Exists(FilePath));

        // What came next has failed, and is begun again.
        var again = Train(options with { Checkpoint = checkpoint, Progress = _ => Assert.Fail("An epoch was run again.") });

        RequireEqual(whole, again);
        checkpoint.Remove();
        Assert.Empty(_folder.GetFiles("*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Train_EachWriteOfTheCheckpointFails_KeepsTheOneBefore()
    {
        Stop(Kept(Quick), 2);
        var kept = File.ReadAllBytes(FilePath);
        var whole = Train(Quick);
        for (var failed = 1; ; failed++)
        {
            AtomicFile.Layer = new FailingLayer(failed);
            var ended = Record.Exception(
                () => Train(Kept(Quick) with { Progress = _ => throw new OperationCanceledException() }));
            if (ended is OperationCanceledException) break;
            Assert.IsType<IOException>(ended);

            Assert.Equal(kept, File.ReadAllBytes(FilePath));
            Assert.Single(_folder.GetFiles("*", SearchOption.AllDirectories));
        }

        AtomicFile.Layer = FileLayer.System;
        RequireEqual(whole, Train(Kept(Quick)));
    }

    [Fact]
    public void Train_EverySecondEpoch_KeepsThose()
    {
        Stop(Kept(Quick, every: 2), 3);
        var reports = new List<EpochReport>();
        RequireEqual(Train(Quick), Train(Kept(Quick, every: 2) with { Progress = reports.Add }));
        Assert.Equal(3, reports[0].Epoch);
    }

    [Fact]
    public void Train_NotToResume_BeginsAnew()
    {
        Stop(Kept(Quick), 3);
        var reports = new List<EpochReport>();
        Train(Quick with { Checkpoint = new CheckpointOptions(FilePath) { Resume = false }, Progress = reports.Add });
        Assert.Equal(1, reports[0].Epoch);
    }

    [Fact]
    public void Resume_OtherOptions_NamesWhatDiffers()
    {
        Stop(Kept(Quick), 2);
        Refuses(Kept(Quick with { Epochs = 7 }), "epochs: 6 then, 7 now");
        Refuses(Kept(Quick with { BatchSize = 32 }), "batch size: 16 then, 32 now");
        Refuses(Kept(Quick with { Seed = 5 }), "seed: 4 then, 5 now");
        Refuses(Kept(Quick with { Optimizer = Optimizer.AdamW(1e-3f) }), "learning rate: 0.01 then, 0.001 now");
        Refuses(Kept(Quick with { Optimizer = Optimizer.Sgd(1e-2f) }), "optimizer: Adam then, Sgd now");
        Refuses(
            Kept(Quick with { Optimizer = Optimizer.AdamW(1e-2f, weightDecay: 0.5f) }),
            "the layers, loss or optimizer in one of their numbers differ");
        Refuses(Kept(Quick with { Schedule = LearningRateSchedule.Cosine() }), "schedule: constant then, cosine now");
        Refuses(
            Kept(Quick with { Statistics = RunningStatistics.PyTorch(0.2f) }),
            "statistics: exponential, PyTorch momentum 0.1 then, exponential, PyTorch momentum 0.2 now");
        Refuses(Kept(Quick with { MaximumGradientNorm = 1 }), "gradient norm: no limit then, 1 now");
        Refuses(Kept(Quick with { WeightAveraging = 0.9f }), "weight averaging: 0 then, 0.9 now");
        Refuses(Kept(Quick), "training rows: 90 of shape [3]", Rings(91));
        var changed = Rings(90);
        changed.FeatureArray[100] += 1;
        Refuses(Kept(Quick), "training rows: 90 of shape [3]", changed);
        Refuses(Kept(Quick), "network: [3]: dense1 [8]", Rings(90), Network.Input(3).Dense(9).BatchNorm().Relu().Dense(1));
        Refuses(
            Kept(Quick),
            "the layers, loss or optimizer in one of their numbers differ",
            Rings(90),
            Network.Input(3).Dense(8).BatchNorm(1e-3f).Relu().Dense(1));

        // Still there, and good for the training that it is of.
        RequireEqual(Train(Quick), Train(Kept(Quick)));
    }

    [Fact]
    public void Resume_OtherNumberOfThreads_IsRefusedUnlessItIsAskedFor()
    {
        // More than half a million weights: enough for all cores, of which there are not as many.
        var (network, rows) = (Network.Input(3).Dense(700).BatchNorm().Relu().Dense(700).Relu().Dense(1), Rings(90));
        var options = Quick with { Epochs = 2 };
        var (there, here) = (Environment.ProcessorCount + 1, Environment.ProcessorCount);
        var whole = Run(options with { Threads = there });
        Stop(network, rows, Kept(options with { Threads = there }), 1, Loss.SigmoidCrossEntropy);

        var message = Assert.Throws<InvalidDataException>(() => Run(Kept(options))).Message;
        Assert.Contains($"threads: {there} then, {here} now", message, StringComparison.Ordinal);
        Assert.Contains(
            $"Ask for {there} threads (Threads in the options, --threads) to end with the same bits", message, StringComparison.Ordinal);

        var kept = File.ReadAllBytes(FilePath);
        var same = Run(Kept(options with { Threads = there }));
        RequireEqual(whole, same);
        Assert.DoesNotContain(same.Warnings, warning => warning.Kind == TrainingWarningKind.OtherThreads);

        File.WriteAllBytes(FilePath, kept);
        var other = Run(Kept(options with { Threads = here }));
        var warning = Assert.Single(other.Warnings, warning => warning.Kind == TrainingWarningKind.OtherThreads);
        Assert.Contains($"threads: {there} then, {here} now", warning.Message, StringComparison.Ordinal);
        Assert.Equal((there, here), (same.Threads, other.Threads));
        Assert.Equal($"{here}", other.Export(rows).Deployed.Metadata["mlnetbn.threads"]);

        TrainedNetwork Run(TrainingOptions options) => NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, options);
    }

    [Fact]
    public void Resume_FileThatIsCutChangedOrSomethingElse_SaysSoAndKeepsIt()
    {
        Stop(Kept(Quick), 2);
        var whole = File.ReadAllBytes(FilePath);
        for (var length = 0; length < whole.Length; length += 1 + (whole.Length / 97)) Damaged(whole[..length]);
        for (var place = 5; place < whole.Length; place += 1 + (whole.Length / 97))
        {
            var changed = (byte[])whole.Clone();
            changed[place] ^= 0x10;
            // What names and shapes say beside the numbers may be changed without harm; then training goes on as before.
            File.WriteAllBytes(FilePath, changed);
            try
            {
                RequireEqual(Train(Quick), Train(Kept(Quick)));
            }
            catch (InvalidDataException)
            {
            }
        }

        Damaged(File.ReadAllBytes(typeof(CheckpointTests).Assembly.Location));
        Damaged(System.Text.Encoding.UTF8.GetBytes("x,y\n1,2\n"));

        void Damaged(byte[] bytes)
        {
            File.WriteAllBytes(FilePath, bytes);
            var message = Assert.Throws<InvalidDataException>(() => Train(Kept(Quick))).Message;
            Assert.Contains(
                "is not a checkpoint of a training, or is damaged. Remove it to begin anew.", message, StringComparison.Ordinal);
            Assert.Equal(bytes, File.ReadAllBytes(FilePath));
        }
    }

    private string FilePath => Path.Combine(_folder.FullName, "inner", "training.checkpoint");

    private TrainingOptions Kept(TrainingOptions options, int every = 1) =>
        options with { Checkpoint = new CheckpointOptions(FilePath) { EveryEpochs = every } };

    private static Network Architecture() => Network.Input(3).Dense(8).BatchNorm().Relu().Dense(1);

    private static TrainedNetwork Train(TrainingOptions options) =>
        NetworkTrainer.Train(Architecture(), Loss.SigmoidCrossEntropy, Rings(90), options);

    private static void Stop(TrainingOptions options, int after) =>
        Stop(Architecture(), Rings(90), options, after, Loss.SigmoidCrossEntropy);

    private static void Stop(Network network, TrainingData rows, TrainingOptions options, int after, Loss loss)
    {
        using var source = new CancellationTokenSource();
        var stopping = options with { Progress = report => { if (report.Epoch == after) source.Cancel(); } };
        Assert.Throws<OperationCanceledException>(() => NetworkTrainer.Train(network, loss, rows, stopping, null, source.Token));
    }

    private void RequireSame(Network network, TrainingData rows, TrainingOptions options, int stopAfter, Loss? loss = null)
    {
        loss ??= Loss.SigmoidCrossEntropy;
        var whole = NetworkTrainer.Train(network, loss, rows, options);
        Stop(network, rows, Kept(options), stopAfter, loss);
        var reports = new List<EpochReport>();

        var resumed = NetworkTrainer.Train(network, loss, rows, Kept(options) with { Progress = reports.Add });

        Assert.Equal(stopAfter + 1, reports[0].Epoch);
        RequireEqual(whole, resumed);
    }

    private static void RequireEqual(TrainedNetwork whole, TrainedNetwork resumed)
    {
        foreach (var (name, values) in whole.ParameterArrays) Assert.Equal(values, resumed.ParameterArrays[name]);
        Assert.Equal(whole.Best.Epoch, resumed.Best.Epoch);
        Assert.Equal(
            whole.History.Select(report => (report.Epoch, report.Loss, report.Validation?.Loss, report.IsBest)),
            resumed.History.Select(report => (report.Epoch, report.Loss, report.Validation?.Loss, report.IsBest)));
        Assert.All(whole.History.Zip(resumed.History), pair => Assert.Equal(pair.First.Validation?.Values, pair.Second.Validation?.Values));
        Assert.Equal(whole.ToOnnx(), resumed.ToOnnx());
    }

    private static void Refuses(TrainingOptions options, string expected, TrainingData? rows = null, Network? network = null)
    {
        var message = Assert.Throws<InvalidDataException>(
            () => NetworkTrainer.Train(network ?? Architecture(), Loss.SigmoidCrossEntropy, rows ?? Rings(90), options)).Message;
        Assert.Contains("is of another training: " + expected, message, StringComparison.Ordinal);
        Assert.Contains("or remove the file to begin anew", message, StringComparison.Ordinal);
    }

    private static TrainingData Rings(int count)
    {
        var random = new Random(9);
        float[] features = [.. Enumerable.Range(0, count * 3).Select(_ => (random.NextSingle() * 4) - 2)];
        return new TrainingData(
            new SampleShape(3), 1, features, [.. features.Chunk(3).Select(row => (row[0] * row[0]) + (row[1] * row[1]) > 2 ? 1f : 0f)]);
    }

    // Draws a number for each row, so that where the generator stands shows in the result.
    private sealed record StoppingAugmentation(Action Asked) : Augmentation
    {
        public override void Apply(ReadOnlySpan<float> row, Span<float> result, SampleShape shape, Random random)
        {
            Asked();
            row.CopyTo(result);
            result[0] += random.NextSingle() / 10;
        }

        public override string ToString() => nameof(StoppingAugmentation);
    }
}

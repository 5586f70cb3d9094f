using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Tuning on tiny tables: which trials there are, and what they may not depend on.</summary>
public sealed class BatchNormTunerTests : IDisposable
{
    private static readonly BatchNormNetworkOptions Tiny = new()
    {
        Seed = 3,
        Epochs = 2,
        HiddenLayers = [4],
        Members = 2,
        BatchSize = 64,
        Device = Device.Cpu,
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-tune-").FullName;
    private readonly MLContext _ml = new(1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<LearningTask> Tasks => [.. Enum.GetValues<LearningTask>()];

    [Theory]
    [MemberData(nameof(Tasks))]
    public void Run_AnyTask_FirstTrialIsTheDefaultsAndBestIsNotWorse(LearningTask task)
    {
        var heard = new List<BatchNormTrial>();
        var tuning = new BatchNormTuner(_ml, task, Tiny) { Trials = 4, Folds = 2, Progress = heard.Add }.Run(Rows(task));

        Assert.Equal(tuning.Trials, heard);
        Assert.Same(tuning.Trials[0], tuning.Defaults);
        Assert.Equal((1, 2), (tuning.Defaults.Number, tuning.Defaults.Epochs));
        Assert.Equal((null, null), (tuning.Defaults.Options.Optimizer, tuning.Defaults.Options.Dropout));
        Assert.True(tuning.Best.Score <= tuning.Defaults.Score);
        Assert.Equal([2, 3, 4], tuning.Trials.Where(trial => trial.Epochs == 1).Select(trial => trial.Number).Order());
        Assert.Equal(2, tuning.Trials.Count(trial => trial.Epochs == 2));
        Assert.All(tuning.Trials, trial => Assert.Equal(2, trial.Scores.Count));

        // The options train as any others do.
        using var model = Fit(task, tuning.BestOptions, Rows(task));
        Assert.Equal(tuning.BestOptions.Epochs, model.Model.History[^1].Epochs);
    }

    // By hand: the same folds, each predicted by a network that learned from the others, and the log-loss by its formula.
    [Fact]
    public void Run_Scores_AreThoseOfNetworksTrainedOnTheOtherRows()
    {
        var rows = Moons.Create(120);
        var tuning = new BatchNormTuner(_ml, LearningTask.Binary, Tiny) { Trials = 2, Folds = 3 }.Run(_ml.Data.LoadFromEnumerable(rows));
        var folds = Folds.Draw([.. rows.Select(row => row.Label ? 1 : 0)], 3, new Random(3));
        for (var fold = 0; fold < 3; fold++)
        {
            var learned = _ml.Data.LoadFromEnumerable(rows.Where((_, row) => folds.Of[row] != fold));
            var held = rows.Where((_, row) => folds.Of[row] == fold).ToArray();
            using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Tiny).Fit(learned);
            var predictions = model.Transform(_ml.Data.LoadFromEnumerable(held)).GetColumn<float>("Probability");
            var logLoss = predictions.Zip(held, (p, row) => -Math.Log(row.Label ? p : 1 - p)).Average();
            Assert.Equal(logLoss, tuning.Defaults.Scores[fold], 5);
        }
    }

    [Fact]
    public void Run_SameSeed_SameTrialsAndBest()
    {
        var once = Run(seed: 3);
        var again = Run(seed: 3);
        Assert.Equal(Figures(once), Figures(again));
        Assert.Equal(once.Best.Number, again.Best.Number);
        Assert.NotEqual(Figures(once), Figures(Run(seed: 4)));
    }

    [Fact]
    public void Run_GivenAgainAfterAnEnd_GoesOnWithoutTrainingAgain()
    {
        var whole = Run(seed: 3);
        var checkpoint = new CheckpointOptions(Path.Combine(_folder, "new", "state.json")) { Keep = true };
        var stopped = new BatchNormTuner(_ml, LearningTask.Binary, Tiny)
        {
            Trials = 5,
            Folds = 2,
            Checkpoint = checkpoint,
            Progress = trial =>
            {
                if (trial.Number == 3) throw new InvalidOperationException("stop");
            },
        };
        Assert.Throws<InvalidOperationException>(() => stopped.Run(Rows(LearningTask.Binary)));
        var before = File.ReadAllText(checkpoint.Path);

        var resumed = Run(seed: 3, checkpoint);

        Assert.Equal(Figures(whole), Figures(resumed));
        var measured = before[..before.LastIndexOf('}', before.LastIndexOf(']'))];
        Assert.StartsWith(measured, File.ReadAllText(checkpoint.Path), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_AtItsEnd_RemovesTheStateUnlessItIsKept()
    {
        var path = Path.Combine(_folder, "state.json");
        Run(seed: 3, new CheckpointOptions(path));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Run_StateOfOtherRowsOrOptions_IsRefusedWithWhatDiffers()
    {
        var checkpoint = new CheckpointOptions(Path.Combine(_folder, "state.json")) { Keep = true };
        Run(seed: 3, checkpoint);
        var others = _ml.Data.LoadFromEnumerable(Moons.Create(100, seed: 2));
        var rows = Assert.Throws<InvalidDataException>(
            () => new BatchNormTuner(_ml, LearningTask.Binary, Tiny) { Trials = 5, Folds = 2, Checkpoint = checkpoint }.Run(others));
        Assert.Contains("is the state of another tuning: rows: 100 of shape [2]", rows.Message, StringComparison.Ordinal);
        var space = Assert.Throws<InvalidDataException>(
            () => new BatchNormTuner(_ml, LearningTask.Binary, Tiny with { Dropout = 0.1f }) { Folds = 2, Checkpoint = checkpoint }
                .Run(Rows(LearningTask.Binary)));
        Assert.Contains("settings: dropout", space.Message, StringComparison.Ordinal);
        File.WriteAllText(checkpoint.Path, "something else");
        var damaged = Assert.Throws<InvalidDataException>(() => Run(seed: 3, checkpoint));
        Assert.Contains("is not the state of a tuning, or is damaged", damaged.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_NoTimeLeft_EndsWithTheDefaults()
    {
        var tuning = new BatchNormTuner(_ml, LearningTask.Binary, Tiny) { Folds = 2, TimeLimit = TimeSpan.FromTicks(1) }
            .Run(Rows(LearningTask.Binary));
        Assert.Same(tuning.Defaults, Assert.Single(tuning.Trials));
        Assert.Same(tuning.Defaults, tuning.Best);
    }

    [Fact]
    public void Run_Cancelled_StopsBetweenTwoSteps()
    {
        using var cancelled = new CancellationTokenSource();
        var tuner = new BatchNormTuner(_ml, LearningTask.Binary, Tiny with { CancellationToken = cancelled.Token })
        {
            Folds = 2,
            Progress = _ => cancelled.Cancel(),
        };
        Assert.ThrowsAny<OperationCanceledException>(() => tuner.Run(Rows(LearningTask.Binary)));
    }

    [Fact]
    public void Run_TooFewRows_SaysHowManyFoldsNeed()
    {
        var error = Assert.Throws<InvalidDataException>(
            () => new BatchNormTuner(_ml, LearningTask.Binary, Tiny) { Folds = 10 }.Run(_ml.Data.LoadFromEnumerable(Moons.Create(12))));
        Assert.Contains("12 rows are too few for 10 folds", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_NothingLeftOpen_SaysWhatCouldBe()
    {
        var given = Tiny with
        {
            Dropout = 0,
            Optimizer = Optimizer.AdamW(),
            SharedWeights = true,
            NumericEncoding = NumericEncoding.Standardize,
        };
        var error = Assert.Throws<ArgumentException>(() => new BatchNormTuner(_ml, LearningTask.Binary, given));
        Assert.Contains("There is nothing to tune: the options say all of width, depth, dropout", error.Message, StringComparison.Ordinal);
    }

    private BatchNormTuning Run(int seed, CheckpointOptions? checkpoint = null) =>
        new BatchNormTuner(_ml, LearningTask.Binary, Tiny with { Seed = seed }) { Trials = 5, Folds = 2, Checkpoint = checkpoint }
            .Run(Rows(LearningTask.Binary));

    private static string[] Figures(BatchNormTuning tuning) => [.. tuning.Trials.Select(
        trial => $"{trial.Number} {trial.Epochs} {string.Join(' ', trial.Settings)} {string.Join(' ', trial.Scores)}")];

    private IDataView Rows(LearningTask task) => task switch
    {
        LearningTask.Binary => _ml.Data.LoadFromEnumerable(Moons.Create(100)),
        LearningTask.Multiclass => Keyed(_ml.Data.LoadFromEnumerable(Clouds.Create(100))),
        _ => _ml.Data.LoadFromEnumerable(Waves.Create(100)),
    };

    private IDataView Keyed(IDataView rows) => _ml.Transforms.Conversion.MapValueToKey("Label").Fit(rows).Transform(rows);

    private BatchNormTransformer Fit(LearningTask task, BatchNormNetworkOptions options, IDataView rows) => task switch
    {
        LearningTask.Binary => _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(rows),
        LearningTask.Multiclass => _ml.MulticlassClassification.Trainers.BatchNormNetwork(options).Fit(rows),
        _ => _ml.Regression.Trainers.BatchNormNetwork(options).Fit(rows),
    };
}

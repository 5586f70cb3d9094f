using Microsoft.ML;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The search for options, as the tool makes it before a training.</summary>
internal sealed class TableTuning
{
    /// <summary>See <see cref="BatchNormTuner.Trials"/>.</summary>
    public int? Trials { get; init; }

    /// <summary>See <see cref="BatchNormTuner.TimeLimit"/>.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>The number of folds.</summary>
    public required int Folds { get; init; }

    /// <summary>How groups or times divide the rows to learn from into folds; null = by chance.</summary>
    public IReadOnlyList<(int[] Learned, int[] Held)>? GivenFolds { get; init; }

    /// <summary>What came out; null before.</summary>
    public BatchNormTuning? Result { get; private set; }

    /// <summary>Where the state is kept, until the results are written.</summary>
    /// <param name="folder">The folder for the results.</param>
    public static CheckpointOptions Checkpoint(string folder) => new(Path.Combine(folder, "tuning.json")) { Keep = true };

    /// <summary>Runs it, and says how far it is.</summary>
    /// <param name="ml">The context.</param>
    /// <param name="task">What is predicted.</param>
    /// <param name="rows">The rows to learn from.</param>
    /// <param name="options">The options of which some are left open.</param>
    /// <param name="folder">The folder for the results.</param>
    /// <returns>The best options.</returns>
    public BatchNormNetworkOptions Run(
        MLContext ml, LearningTask task, IDataView rows, BatchNormNetworkOptions options, string folder)
    {
        var trials = 0;
        var tuner = new BatchNormTuner(ml, task, options)
        {
            Trials = Trials,
            TimeLimit = TimeLimit,
            Folds = Folds,
            GivenFolds = GivenFolds,
            Checkpoint = Checkpoint(folder),
            Progress = trial =>
            {
                trials++;
                ProgressDisplay.Current.Trial(trial);
            },
        };
        using var progress = Progress.Begin("tuning", "trials", measure: () => trials, share: () => tuner.Share);
        Result = tuner.Run(rows);
        return Result.BestOptions;
    }
}

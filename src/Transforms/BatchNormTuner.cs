using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Training;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Training;
using MlNetBatchNorm.Transforms.Tuning;

namespace MlNetBatchNorm;

/// <summary>
/// Looks for options that suit some rows better than the defaults: what the options leave open (width, depth, dropout, learning rate,
/// weight decay, members of the ensemble, encoding of numbers, embeddings) is tried in several ways, each on folds of the rows, by
/// successive halving. docs/tuning.md says how.
/// </summary>
/// <remarks>
/// <code>
/// var tuned = new BatchNormTuner(ml, LearningTask.Binary, new BatchNormNetworkOptions { Seed = 1 }) { Trials = 27 }.Run(train);
/// var model = ml.BinaryClassification.Trainers.BatchNormNetwork(tuned.BestOptions).Fit(train);
/// </code>
/// Rows to test on are never given to it. The same seed, rows and number of trials give the same trials and the same best one; with a
/// <see cref="TimeLimit"/> that depends on the speed of the machine.
/// </remarks>
public sealed class BatchNormTuner
{
    private const int MostFolds = 50;
    private const int LeastRowsOfFold = 2;
    private static readonly TimeSpan LongestTime = TimeSpan.FromDays(30);

    private readonly IHostEnvironment _environment;
    private readonly NetworkTask _task;
    private readonly BatchNormNetworkOptions _options;
    private readonly TrainingInput _input;
    private readonly int _seed;
    private SuccessiveHalving? _halving;

    /// <summary>Takes options of which some are left open.</summary>
    /// <param name="context">The context, whose seed, log, GPU and cancellation count as they do for trainers.</param>
    /// <param name="task">What is predicted.</param>
    /// <param name="options">
    /// Columns and training. What is given stays as it is; what is left open is tuned. <see cref="BatchNormNetworkOptions.Checkpoint"/>,
    /// <see cref="BatchNormNetworkOptions.Diagnostics"/> and the callbacks are left for the training that follows.
    /// </param>
    /// <exception cref="ArgumentException">An option is out of its range, or they leave nothing open.</exception>
    public BatchNormTuner(MLContext context, LearningTask task, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Communicator is { Size: > 1 })
            throw new ArgumentException("Tuning goes on in one process; several can train together with the options that it finds.");
        options.RequireOneArchitecture();
        _environment = context;
        _task = NetworkTask.Of(task);
        _options = options.Copy();
        var complete = _task.Complete(_options, 1000, 1);
        complete.Validate();
        _ = new TuningSpace(_options, complete);
        _input = new TrainingInput(_task, _options);
        _seed = options.Seed ?? _environment.Register("BatchNormTuner").Rand.Next();
    }

    /// <summary>
    /// The most settings that are tried, from 2, the defaults among them; null (the default) = 27, or as many as the
    /// <see cref="TimeLimit"/> allows.
    /// </summary>
    public int? Trials { get; init; }

    /// <summary>
    /// How long trials may take, at most 30 days; null (the default) = no limit. The defaults are tried whatever they take, and the
    /// training with the best options comes on top.
    /// </summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>
    /// The parts that the rows are divided into, of each class its share, from 2 to 50: each is predicted by a network that learned from
    /// the others. Default: 4.
    /// </summary>
    public int Folds { get; init; } = 4;

    /// <summary>
    /// Where the state is kept, so that the same tuning goes on after it was stopped; null (the default) = nowhere. The file is replaced as
    /// a whole after each training, and removed at the end unless it is to be kept. One of other rows or options is refused with an
    /// <see cref="InvalidDataException"/> that names what differs.
    /// </summary>
    public CheckpointOptions? Checkpoint { get; init; }

    /// <summary>Called after each trial, on the thread that called <see cref="Run"/>. An exception from it ends the tuning.</summary>
    public Action<BatchNormTrial>? Progress { get; init; }

    /// <summary>
    /// How rows are divided where that is not by chance: for each fold the rows to learn from and those to measure by; null = by chance.
    /// </summary>
    internal IReadOnlyList<(int[] Learned, int[] Held)>? GivenFolds { get; init; }

    /// <summary>The share of the work that is done, from 0 to 1. May be asked for by another thread.</summary>
    internal double Share => _halving?.Share ?? 0;

    /// <summary>Tries settings.</summary>
    /// <param name="rows">The rows to learn from, with the columns that the options name; none to test on.</param>
    /// <exception cref="ArgumentException">A column is missing or has another type, or an option is out of its range.</exception>
    /// <exception cref="InvalidDataException">
    /// A row cannot be used, all labels are the same, the rows are too few for the folds, or the state is of another tuning.
    /// </exception>
    /// <exception cref="OperationCanceledException">The options' token, or the context, was cancelled.</exception>
    /// <exception cref="TrainingDivergedException">Training with the defaults diverged.</exception>
    public BatchNormTuning Run(IDataView rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        Validate();
        using var log = new TrainingLog(_options with { Progress = null }, _environment, host: null);
        var reader = _input.Open(rows);
        var data = _input.Read(reader, "training", log);
        _task.RequireDifferentLabels(data, _options.LabelColumnName);
        var validation = _options.ValidationSet is { } held ? _input.Read(_input.Open(held), "validation", log) : null;
        var classes = _task.Classes(reader.Label);
        var usual = _task.Complete(_options, data.Count, (int)data.Shape.Count);
        var space = new TuningSpace(_options, usual);
        var folds = GivenFolds ?? Draw(data);
        var state = TuningState.Open(Checkpoint, Fingerprint(data, validation, usual, space, folds));
        var halving = _halving = new SuccessiveHalving(usual.Epochs!.Value, Trials, TimeLimit, TimeSpan.FromSeconds(state.Seconds));
        var tuning = halving.Run(space.Draw(_seed), (settings, rung, epochs, time) =>
        {
            var trial = Try(settings, rung, epochs, time);
            if (trial is not null) Progress?.Invoke(trial);
            return trial;
        });
        if (Checkpoint is { Keep: false } finished) finished.Remove();
        return tuning;

        BatchNormTrial? Try(TuningSettings settings, int rung, int epochs, CancellationToken time)
        {
            var measured = new List<MeasuredTraining>();
            for (var fold = 0; fold < folds.Count; fold++)
            {
                if (state.Find(settings.Number, epochs, fold) is { } known)
                {
                    measured.Add(known);
                    continue;
                }

                if (time.IsCancellationRequested) return null;
                if (MlNetInternals.IsCancelled(_environment))
                    throw new OperationCanceledException("The tuning was stopped: its context was cancelled.");
                var watch = Stopwatch.StartNew();
                double score;
                try
                {
                    score = Train(settings, epochs, fold, time);
                }
                catch (OperationCanceledException) when (
                    time.IsCancellationRequested && !_options.CancellationToken.IsCancellationRequested)
                {
                    return null;
                }

                measured.Add(new(settings.Number, epochs, fold, score, watch.Elapsed.TotalSeconds));
                state.Add(measured[^1]);
            }

            return new BatchNormTrial(
                settings,
                rung,
                epochs,
                MetricOf(usual),
                [.. measured.Select(training => training.Score)],
                TimeSpan.FromSeconds(measured.Sum(training => training.Seconds)));
        }

        double Train(TuningSettings settings, int epochs, int fold, CancellationToken time)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(time, _options.CancellationToken);
            var options = _task.Complete(settings.Options, data.Count, (int)data.Shape.Count) with { Epochs = epochs };
            var (learned, measured) = (data.Select(folds[fold].Learned), data.Select(folds[fold].Held));
            var device = _options.Device ?? MlNetInternals.GpuOf(_environment) ?? Device.Auto;
            try
            {
                var trained = NetworkTrainer.Train(
                    options.CreateNetwork((int)data.Shape.Count, data.Outputs),
                    _input.CreateLoss(learned, classes, validation is null ? options.Loss : _options.Loss),
                    learned,
                    options.ToTrainingOptions(_seed, device) with
                    {
                        Checkpoint = null,
                        Diagnostics = null,
                        Progress = null,
                        Warning = null,
                        StatisticsTolerance = double.PositiveInfinity,
                        Watch = new Follower(halving, epochs, fold, folds.Count),
                    },
                    validation,
                    either.Token);
                var evaluated = ModelEvaluation.Of(trained.ToOnnx(), trained.Loss, measured.CountedFrom(trained.TargetOffset));
                return evaluated.Metrics[MetricOf(usual)] is { } score && double.IsFinite(score) ? score : double.PositiveInfinity;
            }
            catch (Exception exception) when (
                settings.Number > 1 && exception is TrainingDivergedException or InsufficientMemoryException)
            {
                return double.PositiveInfinity;
            }
        }
    }

    private static Metric MetricOf(BatchNormNetworkOptions options) => options.Loss is not { IsRegression: true } loss
        ? Metric.LogLoss
        : loss == Loss.AbsoluteError ? Metric.MeanAbsoluteError : Metric.RootMeanSquaredError;

    private void Validate()
    {
        if (Trials < 2) throw new ArgumentOutOfRangeException(nameof(Trials), Trials, "At least 2 trials: the defaults, and others.");
        if (Folds is < 2 or > MostFolds)
            throw new ArgumentOutOfRangeException(nameof(Folds), Folds, $"The rows are divided into 2 to {MostFolds} folds.");
        if (TimeLimit is { } limit && (limit <= TimeSpan.Zero || limit > LongestTime))
            throw new ArgumentOutOfRangeException(nameof(TimeLimit), limit, "The time limit is above 0, and at most 30 days.");
        Checkpoint?.Validate();
    }

    private (int[] Learned, int[] Held)[] Draw(TrainingData rows)
    {
        if (rows.Count < LeastRowsOfFold * Folds)
            throw new InvalidDataException(
                $"{rows.Count} rows are too few for {Folds} folds of at least {LeastRowsOfFold}; give more rows, or fewer folds.");
        var folds = MlNetBatchNorm.Trainer.Training.Folds.Draw(NetworkTrainer.ClassesOf(rows, _task.Loss), Folds, new Random(_seed));
        return [.. folds.RowsOf.Select((held, fold) => (
            Enumerable.Range(0, rows.Count).Where(row => folds.Of[row] != fold).ToArray(), held))];
    }

    // All that decides about a figure, beside the settings; the number of trials may be another one when it goes on.
    private Dictionary<string, string> Fingerprint(
        TrainingData rows,
        TrainingData? validation,
        BatchNormNetworkOptions usual,
        TuningSpace space,
        IReadOnlyList<(int[] Learned, int[] Held)> folds)
    {
        var training = usual.ToTrainingOptions(_seed, Device.Cpu);
        return new()
        {
            ["task"] = _task.Name,
            ["rows"] = TrainingFingerprint.Describe(rows),
            ["validation rows"] = validation is null ? "none of their own" : TrainingFingerprint.Describe(validation),
            ["folds"] = GivenFolds is null
                ? Text(folds.Count) : $"{Text(folds.Count)} of {string.Join(", ", folds.Select(fold => Text(fold.Held.Length)))} rows",
            ["seed"] = Text(_seed),
            ["settings"] = space.ToString(),
            ["network"] = usual.CreateNetwork((int)rows.Shape.Count, rows.Outputs).ToString(),
            ["loss"] = $"{usual.Loss ?? _task.Loss}",
            ["class weights"] = usual.ClassWeights?.ToString() ?? "none",
            ["epochs"] = Text(training.Epochs),
            ["training"] = string.Join(
                ", ",
                $"batches of {Text(training.BatchSize)}",
                $"patience {Text(training.EarlyStoppingPatience)}",
                $"held out {Text(training.ValidationFraction)}",
                $"{training.Optimizer} {Text(training.Optimizer.LearningRate)} {Text(training.Optimizer.WeightDecay)}",
                $"schedule {training.Schedule}",
                $"statistics {training.Statistics.Description}",
                $"numbers {training.NumericEncoding}",
                $"embeddings {string.Join(' ', training.EmbeddedFeatures)}",
                $"targets {training.TargetTransform} {training.StandardizeTargets}",
                $"standardized {training.StandardizeFeatures} {Text(training.FeatureClip)}",
                $"calibrated {training.Calibrate}",
                $"norm {training.MaximumGradientNorm?.ToString(CultureInfo.InvariantCulture) ?? "free"}",
                $"averaging {Text(training.WeightAveraging)}"),
        };

        static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
    }

    /// <summary>Tells how far a training of a trial is.</summary>
    private sealed class Follower(SuccessiveHalving halving, int epochs, int fold, int folds) : TrainingWatch
    {
        public override void Step(TrainingPosition position) => halving.Advance(
            epochs * (fold + ((position.Epoch - 1 + ((double)position.Step / position.Steps)) / position.Epochs)) / folds);
    }
}

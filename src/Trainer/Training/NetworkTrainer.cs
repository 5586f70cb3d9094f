using System.Globalization;
using System.Numerics.Tensors;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm;

/// <summary>Trains networks: the loop around <see cref="TrainingStep"/>.</summary>
public static class NetworkTrainer
{
    // Enough for the mean of a channel to be known to a fortieth of its deviation.
    private const int StatisticsSample = 2048;

    // What the mean and the deviation of targets are learned from where the rows are on several ranks.
    private const int TargetSample = 1 << 22;

    /// <summary>Trains a network.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="loss">What to make small.</param>
    /// <param name="rows">The rows to learn from.</param>
    /// <param name="options">How to train; null = the defaults.</param>
    /// <param name="validation">
    /// Rows to measure each epoch by; null = a part of <paramref name="rows"/>, drawn at random, of each class its share.
    /// </param>
    /// <param name="cancellationToken">Stops training between two steps.</param>
    /// <returns>The network with the parameters of its best epoch (the last one, when there are no validation rows).</returns>
    /// <exception cref="ArgumentException">The rows do not fit the network, or an option is out of its range.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled.</exception>
    /// <exception cref="InvalidDataException">
    /// The checkpoint of the options is damaged, or of another training; the message names what differs.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">There is not enough memory for the network or for a mini-batch.</exception>
    /// <exception cref="TrainingDivergedException">The loss became infinite or NaN.</exception>
    /// <exception cref="NotSupportedException">There are several ranks, and the device is not the CPU.</exception>
    public static TrainedNetwork Train(
        Network network,
        Loss loss,
        TrainingData rows,
        TrainingOptions? options = null,
        TrainingData? validation = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new TrainingOptions();
        options.Validate();
        var ranks = options.Communicator is { Size: > 1 } several ? several : null;
        if (ranks is null) RequireFit(network, loss, rows, validation, options);
        else
        {
            ranks.Together(() => RequireFit(network, loss, rows, validation, options));
            if (ranks.Numbers(validation is null ? 0 : 1).Distinct().Count() > 1)
                throw new ArgumentException(
                    "Validation rows are given to some ranks only; give each its part of them.", nameof(validation));
        }

        validation = validation?.CountedFrom(rows.TargetOffset);

        var (given, givenValidation) = (rows, validation);
        TrainingCheckpoint? checkpoint = null;
        if (options.Checkpoint is { Resume: true, Path: var path })
        {
            if (ranks is null) checkpoint = File.Exists(path) ? TrainingCheckpoint.Read(path) : null;
            else if (ranks.Largest(File.Exists(path) ? 1 : 0) > 0) ranks.Together(() => checkpoint = TrainingCheckpoint.Read(path));
        }

        var (initial, split, shuffle, chance) = Streams(options.Seed);
        if (ranks is not null) (shuffle, chance) = (OfRank(shuffle), OfRank(chance));
        Folds? folds = null;
        if (validation is null && options.OutOfFold && network.LearnsByMember)
            folds = ranks is null
                ? Folds.Draw(ClassesOf(rows, loss), network.MemberCount, split)
                : Folds.DrawOfRank(new SharedRows(ranks, rows).First, rows.Count, network.MemberCount, split.Next());
        if (validation is null && folds is null)
            (rows, validation) = ranks is null
                ? HoldOut(rows, loss, options.ValidationFraction, split)
                : HoldOutOfRank(rows, ranks, options.ValidationFraction, split.Next());
        if (ranks is null) RequireTwoRows(rows);
        else ranks.Together(() => RequireTwoRows(rows));

        var categories = EmbeddedCategories.Find(options.EmbeddedFeatures, rows, ranks, options.EmbeddingScale);
        var encodes = (options.NumericEncoding.IsOfNetwork || categories.Count > 0) && network.InputShape.IsVector;
        if (encodes)
        {
            int[] embedded = [.. categories.Select(category => category.Feature)];
            var sample = ranks is null ? rows : new SharedRows(ranks, rows).Sample(EncodedNumbers.SampledRows);
            var encoding = EncodedNumbers.Fit(sample, options.NumericEncoding.BinsFor(loss.IsRegression), !loss.IsRegression, embedded);
            if (encoding.Width > 0) network = network.On(encoding, options.NumericEncoding, categories);
            else encodes = false;
        }

        var standardization = options.StandardizeFeatures && !encodes ? Standardization.Fit(rows, options.FeatureClip, ranks) : null;
        if (standardization is not null)
        {
            rows = standardization.Apply(rows);
            validation = validation is null ? null : standardization.Apply(validation);
        }

        var (whole, used) = (network, UsedFeatures.Find(network, standardization, rows, ranks));
        if (used is not null)
        {
            (network, rows) = (used.Network, used.Apply(rows));
            validation = validation is null ? null : used.Apply(validation);
        }

        var inUnit = rows;
        var targets = LearnedTargets.Fit(ranks is null ? rows : new SharedRows(ranks, rows).Targets(TargetSample), loss, options);
        rows = targets.Apply(rows);

        var batchSize = (int)Math.Min(options.BatchSize, ranks?.Largest(rows.Count) ?? rows.Count);
        RequireMemory(network, batchSize, options.WeightAveraging > 0);
        var threads = options.Threads ?? Math.Max(1, network.ThreadsFor(batchSize) / (ranks?.RanksHere ?? 1));
        var settings = new ExecutionOptions { Device = options.Device, Threads = threads };
        using var step = new TrainingStep(
            network,
            loss,
            options.Optimizer,
            options.Statistics,
            batchSize,
            initial,
            rows.WeightArray is not null || folds is not null,
            settings,
            options.MaximumGradientNorm,
            options.WeightAveraging,
            checkpoint?.Steps ?? 0,
            options.OwnOperators && (checkpoint is null || TrainingFingerprint.HasOwnOperators(checkpoint.Fingerprint)),
            ranks,
            options.SyncStatistics,
            keepsBefore: options.Diagnostics is not null);
        var fingerprint = options.Checkpoint is null ? null : TrainingFingerprint.Of(
            network, options, given, givenValidation, step, threads, ranks);
        var warnings = new List<TrainingWarning>();
        if (checkpoint is not null)
        {
            TrainingWarning? others = null;
            if (ranks is null) Compare();
            else ranks.Together(Compare);
            if (others is not null) Warn([others]);

            void Compare() => others = TrainingFingerprint.RequireSame(
                checkpoint.Fingerprint, fingerprint!, options.Checkpoint!.Path, options.Threads is not null);
            step.Restore(checkpoint.State);
        }

        using var evaluation = (folds is null ? validation : inUnit) is { } measured
            ? new EvaluationStep(network, loss, measured, targets, folds, options.Calibrate, settings, ranks)
            : null;
        Warn(BatchNormDiagnosis.BeforeTraining(network, options.Statistics, batchSize));
        using var population = options.Statistics.IsPopulation && network.HasStatistics
            ? new PopulationStatistics(
                network, rows, Math.Min(batchSize, rows.Count), new Random(options.Seed), settings, ranks: ranks)
            : null;
        using var batches = new MiniBatches(
            rows, batchSize, shuffle, network.MinimumBatchRows, options.Augmentation, chance, network.MemberCount, folds, ranks);
        using var diagnosis = options.Diagnostics is null
            ? null
            : new TrainingDiagnosis(network, loss, rows, batches.PerEpoch, options, settings);
        var loop = new TrainingLoop(step, evaluation, population, batches, network, options, rows.Count, diagnosis);
        if (checkpoint is not null) loop.Resume(checkpoint);

        // What it took to prepare, in sizes of the table: a training allocates next to nothing, so that nobody would collect it.
        if (rows.FeatureRows.File is not null) RowFile.GiveMemoryBack();
        else if ((long)rows.Count * rows.Shape.Count >= FeatureRows.ValuesAtOnce) GC.Collect();
        loop.Run(
            epochs =>
            {
                var state = new TrainingCheckpoint(fingerprint!, step.Steps, epochs.History, step.State(), epochs.Best)
                {
                    IsDone = epochs.IsDone,
                    Diagnostics = diagnosis?.Seen ?? [],
                };
                if (ranks is null) state.Write(options.Checkpoint!.Path);
                else ranks.Together(() =>
                {
                    if (ranks.Rank == 0) state.Write(options.Checkpoint!.Path);
                });
            },
            cancellationToken);
        var best = loop.Best;
        Dictionary<string, double> distances = [];
        if (population is null && network.HasStatistics && !double.IsPositiveInfinity(options.StatisticsTolerance))
        {
            using var sample = new PopulationStatistics(
                network, rows, Math.Min(batchSize, rows.Count), new Random(options.Seed), settings, StatisticsSample, ranks);
            distances = BatchNormDiagnosis.Distances(network, best, sample.Measure(name => best[name]));
            Warn(BatchNormDiagnosis.AfterTraining(distances, options.StatisticsTolerance));
        }

        if (diagnosis is not null) Warn(TrainingDiagnosis.Findings(diagnosis.Seen));
        OutOfFoldPredictions? predictions = null;
        var temperature = 1.0;
        if (folds is not null)
        {
            step.Set(best);
            var atBest = evaluation!.Run(step.Current);
            var predicted = evaluation.Predictions.ToArray();
            targets = targets.Fitted(ranks is null ? predicted : evaluation.OfAll(predicted), evaluation.Answers);
            if (ranks is not null) targets.Map?.Bound(predicted);
            predictions = new OutOfFoldPredictions(predicted, given, folds.Of, evaluation.Measured(predicted, atBest.Loss));
            temperature = evaluation.Temperature;
        }

        // What is made of the parameters now takes as much memory again.
        step.Dispose();
        evaluation?.Dispose();
        if (temperature != 1) best = TargetStandardization.OfTemperature(temperature, rows.Outputs).Restore(network, best);
        if (targets.Standardization is { } scale) best = scale.Restore(network, best);
        if (used is not null) best = used.Restore(best);
        if (categories.Count > 0) best = EmbeddingLayer.Complete(whole.AllSites, best);
        (whole, best) = EncodingScales.IntoNext(whole, best);
        if (options.Checkpoint is { Keep: false } finished && ranks is null or { Rank: 0 }) options.Checkpoint.Remove();
        return new TrainedNetwork(
            whole,
            loss,
            best,
            standardization,
            options.Statistics,
            loop.History,
            step.Device)
        {
            Threads = threads,
            Warnings = warnings,
            Diagnostics = diagnosis?.Seen ?? [],
            StatisticsDistances = distances,
            TargetOffset = rows.TargetOffset,
            TargetMap = targets.Map,
            Temperature = temperature,
            OutOfFold = predictions,
        };

        Random OfRank(Random common) => new(unchecked(common.Next() ^ (ranks.Rank * 0x01000193)));

        void Warn(IEnumerable<TrainingWarning> found)
        {
            foreach (var warning in found)
            {
                warnings.Add(warning);
                options.Warning?.Invoke(warning);
            }
        }
    }

    // The same for a rank; which rows are held out does not depend on how many there are.
    private static (TrainingData Training, TrainingData? Validation) HoldOutOfRank(
        TrainingData rows, Communicator ranks, double fraction, int seed)
    {
        if (fraction == 0) return (rows, null);
        var (first, held) = (new SharedRows(ranks, rows).First, new HeldRows(fraction, seed));
        var isHeld = Enumerable.Range(0, rows.Count).ToLookup(row => held.Has(first + row));
        var count = isHeld[true].Count();
        ranks.Together(() =>
        {
            if (count > 0 && count < rows.Count) return;
            throw new ArgumentException(
                $"Of {rows.Count} rows, {count} are held out to measure by; every rank needs some to measure by and some to learn "
                + "from. Give each more rows, or take fewer ranks.",
                nameof(rows));
        });
        return (rows.Select([.. isHeld[false]]), rows.Select([.. isHeld[true]]));
    }

    private static void RequireTwoRows(TrainingData rows)
    {
        if (rows.Count < 2)
            throw new ArgumentException($"Only {rows.Count} row is left to learn from; at least 2 are needed.", nameof(rows));
    }

    /// <summary>
    /// What a seed draws first weights, validation rows, the order of the rows and their changes from: a stream for each purpose, since
    /// asking for one more batch must not change the first weights.
    /// </summary>
    internal static (Random Initial, Random Split, Random Shuffle, Random Chance) Streams(int seed)
    {
        var random = new Random(seed);
        return (Next(), Next(), Next(), Next());

        Random Next() => new(random.Next());
    }

    private static (TrainingData Training, TrainingData? Validation) HoldOut(TrainingData rows, Loss loss, double fraction, Random random)
    {
        var held = (int)Math.Round(rows.Count * fraction);
        if (held == 0) return (rows, null);
        if (rows.Count - held < 2)
            throw new ArgumentException($"Holding out {fraction:P0} of {rows.Count} rows leaves fewer than 2 to learn from.", nameof(rows));
        var (kept, count, drawn) = StratifiedSample.Draw(rows.Count, row => ClassOf(rows, loss, row), fraction, random);
        return drawn.Length == 0 ? (rows, null) : (rows.Take(kept, count), rows.Take(drawn, drawn.Length));
    }

    /// <summary>For each row the number of its class; all 0 where there are none.</summary>
    internal static int[] ClassesOf(TrainingData rows, Loss loss)
    {
        var classes = new int[rows.Count];
        for (var row = 0; row < classes.Length; row++) classes[row] = ClassOf(rows, loss, row);
        return classes;
    }

    private static int ClassOf(TrainingData rows, Loss loss, int row)
    {
        if (loss.IsRegression) return 0;
        var target = rows.Target(row);
        return target.Length == 1 ? (target[0] >= 0.5f ? 1 : 0) : TensorPrimitives.IndexOfMax(target);
    }

    // Said before ONNX Runtime takes it and the system ends the process.
    private static void RequireMemory(Network network, int batchSize, bool averages)
    {
        // Weights, perhaps their averages and up to two numbers of the optimizer for each, all of them twice, and the gradient.
        var parameters = (averages ? 9.0 : 7.0) * sizeof(float) * network.ParameterCount;
        var batch = 2.0 * sizeof(float) * batchSize * network.InputShape.Count;
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (parameters + batch <= available) return;
        throw new InsufficientMemoryException(string.Create(
            CultureInfo.InvariantCulture,
            $"A network of {network.ParameterCount:N0} parameters takes {parameters / 1e9:0.0} GB to train (with gradients and what the "
                + $"optimizer keeps), and a mini-batch of {batchSize:N0} rows of {network.InputShape.Count:N0} features takes "
                + $"{batch / 1e9:0.0} GB, but there are {available / 1e9:0.0} GB. Take fewer features, fewer units in the first layer, or "
                + $"a smaller mini-batch."));
    }

    private static void RequireFit(
        Network network, Loss loss, TrainingData rows, TrainingData? validation, TrainingOptions options)
    {
        if (options.BatchSize < network.MinimumBatchRows)
            throw new ArgumentOutOfRangeException(
                nameof(options), options.BatchSize, "A mini-batch needs at least 2 rows: one alone has no variance to normalize by.");
        RequireFit(network, rows);
        options.Augmentation?.RequireFit(network.InputShape);
        loss.RequireOutputs(network.OutputShape.Count);
        if (options.StandardizeTargets && loss.IsRegression) TargetStandardization.RequireDenseEnd(network);
        if (validation is not null) RequireFit(network, validation);
    }

    private static void RequireFit(Network network, TrainingData rows)
    {
        if (!rows.Shape.Equals(network.InputShape))
            throw new ArgumentException(
                $"The network takes rows of shape {network.InputShape}, but the rows have shape {rows.Shape}.", nameof(rows));
        if (rows.Outputs != network.OutputShape.Count)
            throw new ArgumentException(
                $"The network gives {network.OutputShape.Count} values a row, but the rows have {rows.Outputs} targets.", nameof(rows));
    }
}

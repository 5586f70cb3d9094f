using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Training;
using static System.FormattableString;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Small mini-batches (Wu and He 2018, arXiv 1803.08494): batch normalization depends on the other rows of the mini-batch, layer and group
/// normalization do not. And large ones: ghost batch normalization (Hoffer et al. 2017, arXiv 1705.08741).
/// </summary>
internal sealed class BatchSizeExperiment : Experiment
{
    private const int Units = 64;
    private const int Groups = 8;
    private const int GhostRows = 16;

    // The rate for mini-batches of 32, which others have in proportion.
    private const float LearningRate = 0.05f;
    private const int RowsOfRate = 32;
    private const float MomentumOfSteps = 0.9f;

    private static readonly double Tolerance = new TrainingOptions().StatisticsTolerance;

    private static readonly ExperimentOption<IReadOnlyList<int>> Sizes = ExperimentOption.Numbers(
        "--sizes", "ROWS", "rows in a mini-batch, from 2", [2, 4, 8, 16, 32, 64, 128, 256], [2, 8, 64]);

    private static readonly ExperimentOption<int> Epochs =
        ExperimentOption.Number("--epochs", "passes over the letters of each network", 10, 2, 1, 1000);

    private static readonly Kind[] Kinds =
    [
        new("batch", "a", _ => Normalization.Batch()),
        new("ghost batch", "b", size => size > GhostRows ? Normalization.Batch(new BatchNormOptions { GhostBatchSize = GhostRows }) : null),
        new("layer", "c", _ => Normalization.Layer()),
        new("group", "d", _ => Normalization.Group(Groups)),
    ];

    /// <inheritdoc/>
    public override string Name => "batchsize";

    /// <inheritdoc/>
    public override string Description =>
        "Train with mini-batches of 2 to 256 rows: batch normalization beside layer, group and ghost batch normalization.";

    /// <inheritdoc/>
    public override string Title => "The size of the mini-batch";

    /// <inheritdoc/>
    public override string Introduction => Invariant(
        $"Batch normalization takes its mean and variance from the mini-batch, so small ones make it noisy (Wu and He 2018). Layer and ")
        + Invariant($"group normalization ({Groups} groups) look at one row alone; ghost batch normalization (Hoffer et al. 2017) at ")
        + Invariant($"{GhostRows} rows of a larger mini-batch. Networks of three hidden layers of {Units} units (relu) on letters, ")
        + Invariant($"gradient descent with momentum 0.9 and a cosine schedule from a rate of {LearningRate} for mini-batches of ")
        + Invariant($"{RowsOfRate} rows, in proportion for others; each passes over the letters as often. ")
        + "Running statistics are PyTorch's with momentum 0.1.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Letters;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Sizes, Epochs];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var (training, test) = ExperimentData.ReadStandardizedLetters(run.Data);
        var (sizes, epochs) = (run.Get(Sizes), run.Get(Epochs));
        if (sizes.Any(size => size is < 2 || size > training.Count))
            throw new ArgumentException(
                Invariant($"A mini-batch of a batch normalization has at least 2 rows, and there are {training.Count:N0}; --sizes is ")
                + $"{string.Join(',', sizes)}.");
        var trials = new List<Trial>();
        run.Expect(sizes.Sum(size => Kinds.Count(kind => kind.Create(size) is not null) * (double)Steps(training, size)) * epochs);
        foreach (var size in sizes)
        {
            foreach (var kind in Kinds)
            {
                if (kind.Create(size) is not { } normalization) continue;
                run.At(Invariant($"{kind.Name}, {size} rows"));
                trials.Add(Try(run, kind, normalization, size, training, test, epochs));
            }
        }

        Report(run, trials, sizes);
    }

    // Those of an epoch; a row that is left alone makes none.
    private static int Steps(TrainingData rows, int size) => (rows.Count / size) + (rows.Count % size > 1 ? 1 : 0);

    private static Trial Try(
        ExperimentRun run, Kind kind, Normalization normalization, int size, TrainingData training, TrainingData test, int epochs)
    {
        var network = Network.FeedForward(
            (int)training.Shape.Count, [Units, Units, Units], training.Outputs, Activation.Relu, normalization);
        var statistics = RunningStatistics.PyTorch();
        string[] warnings =
            [.. BatchNormDiagnosis.BeforeTraining(network, statistics, size).Select(warning => warning.Kind.ToString()).Distinct()];
        using var stepped = new SteppedTraining(network, Loss.SoftmaxCrossEntropy, training, new TrainingOptions
        {
            BatchSize = size,
            Epochs = epochs,
            Optimizer = Optimizer.Sgd(LearningRate * size / RowsOfRate, MomentumOfSteps),
            Schedule = LearningRateSchedule.Cosine(warmup: 0.1),
            Statistics = statistics,
            Seed = run.Seed,
        });
        var loss = double.NaN;
        try
        {
            for (var epoch = 0; epoch < epochs; epoch++)
            {
                loss = stepped.Advance(stepped.StepsPerEpoch);
                run.Advance(stepped.StepsPerEpoch);
            }
        }
        catch (TrainingDivergedException)
        {
            return new Trial(kind, size, double.NaN, null, null, null, warnings);
        }

        var accuracy = stepped.Evaluate(test).MicroAccuracy;
        if (!network.HasStatistics) return new Trial(kind, size, loss, accuracy, null, null, warnings);
        var running = stepped.Parameters();
        var population = stepped.MeasurePopulation();
        return new Trial(
            kind,
            size,
            loss,
            accuracy,
            stepped.Evaluate(test, population).MicroAccuracy,
            BatchNormDiagnosis.Distances(network, running, population).Values.Max(),
            warnings);
    }

    private static void Report(ExperimentRun run, List<Trial> trials, IReadOnlyList<int> sizes)
    {
        var rows = new PlottedAxis("mini-batch", "rows", IsLogarithmic: true, sizes.Min() / 1.5, sizes.Max() * 1.5);
        run.Add(new PlottedFigure(
            "accuracy",
            "Test accuracy",
            new PlottedPanel(
                "Test accuracy",
                rows,
                new PlottedAxis("test accuracy", "share"),
                [
                    .. Kinds.Select(kind => new PlottedLine(kind.Name, kind.Style, Points(kind, trial => trial.Accuracy), HasDots: true)),
                    new PlottedLine(
                        "batch, population statistics", "e", Points(Kinds[0], trial => trial.PopulationAccuracy), HasDots: true),
                ]))
        {
            Caption = Invariant($"On running statistics, where nothing else is said. Ghost batches have {GhostRows} rows.")
                + (trials.Any(trial => trial.Accuracy is null) ? " Networks that diverged are left out." : string.Empty),
        });
        run.Add(new PlottedFigure(
            "distance",
            "Running against population statistics",
            new PlottedPanel(
                "Distance",
                rows,
                new PlottedAxis("distance", "standard deviations", IsLogarithmic: true),
                [
                    .. Kinds.Take(2).Select(kind =>
                        new PlottedLine(kind.Name, kind.Style, Points(kind, trial => trial.Distance), HasDots: true)),
                    new PlottedLine("from here on there is a warning", "guide", [(sizes.Min(), Tolerance), (sizes.Max(), Tolerance)]),
                ]))
        {
            Caption = "The layer with the largest one, at the end: the root mean square over its channels of the shift of the mean and of "
                + "the logarithm of the ratio of the deviations.",
        });
        run.Add(
            ["rows", "normalization", "training loss", "accuracy", "on population statistics", "distance", "the library says"],
            [.. trials.Select(trial => (string[])
            [
                Invariant($"{trial.Size}"),
                trial.Kind.Name,
                Invariant($"{trial.Loss:0.0000}"),
                trial.Accuracy is { } accuracy ? Invariant($"{accuracy:0.0000}") : "diverged",
                trial.PopulationAccuracy is { } ideal ? Invariant($"{ideal:0.0000}") : "–",
                trial.Distance is { } distance ? Invariant($"{distance:0.000}") : "–",
                trial.Says,
            ])]);
        foreach (var size in new[] { sizes.Min(), sizes.Max() }.Distinct())
            run.Found(Invariant($"Mini-batches of {size} rows: ")
                + string.Join(", ", trials.Where(trial => trial.Size == size).Select(trial => trial.Accuracy is { } accuracy
                    ? Invariant($"{trial.Kind.Name} {accuracy:0.0000}")
                    : $"{trial.Kind.Name} diverged")) + ".");
        var batch = trials.Where(trial => trial.Kind == Kinds[0] && trial.Accuracy is not null).ToList();
        if (batch.Count > 0)
        {
            string[] few = [.. batch.Where(trial => trial.Warnings.Count > 0).Select(trial => Invariant($"{trial.Size}"))];
            var (smallest, largest) = (batch.MinBy(trial => trial.Size)!, batch.MaxBy(trial => trial.Size)!);
            run.Found(Invariant($"With batch normalization the running statistics are {smallest.Distance:0.00} standard deviations from ")
                + Invariant($"those of the training rows at {smallest.Size} rows, {largest.Distance:0.00} at {largest.Size}; population ")
                + Invariant($"statistics give {smallest.PopulationAccuracy:0.0000} for {smallest.Accuracy:0.0000}, and ")
                + Invariant($"{largest.PopulationAccuracy:0.0000} for {largest.Accuracy:0.0000}. ")
                + "Before training the library warns of small mini-batches at "
                + (few.Length > 0 ? $"{string.Join(", ", few)} rows." : "none of these sizes."));
        }

        run.Metrics["trials"] = new JsonArray([.. trials.Select(trial => new JsonObject
        {
            ["rows"] = trial.Size,
            ["normalization"] = trial.Kind.Name,
            ["trainingLoss"] = double.IsFinite(trial.Loss) ? trial.Loss : null,
            ["accuracy"] = trial.Accuracy,
            ["populationAccuracy"] = trial.PopulationAccuracy,
            ["distance"] = trial.Distance,
            ["warnings"] = new JsonArray([.. trial.Warnings.Select(warning => (JsonNode)warning)]),
        })]);

        List<(double X, double Y)> Points(Kind kind, Func<Trial, double?> value) =>
        [
            .. from trial in trials
               where trial.Kind == kind
               let y = value(trial)
               where y is not null
               orderby trial.Size
               select ((double)trial.Size, y.Value),
        ];
    }

    private sealed record Kind(string Name, string Style, Func<int, Normalization?> Create);

    private sealed record Trial(
        Kind Kind, int Size, double Loss, double? Accuracy, double? PopulationAccuracy, double? Distance, IReadOnlyList<string> Warnings)
    {
        public string Says => (Warnings.Count > 0, Distance > Tolerance) switch
        {
            (true, true) => "small batch; far from the training rows",
            (true, false) => "small batch",
            (false, true) => "far from the training rows",
            _ => "–",
        };
    }
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Training;
using static System.FormattableString;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// The residual network for the digits, a little wider, on the images of Fashion-MNIST, with batch normalization, without, and with layer
/// or group normalization in its place. Nothing here was chosen by looking at the test images, but by 6,000 training images held out.
/// </summary>
internal sealed class FashionExperiment : Experiment
{
    private const int Classes = MnistFiles.Classes;
    private const int BatchSize = 128;
    private const float LearningRate = 4e-3f;
    private const int QuickRows = 1920;
    private const int QuickTestRows = 2000;

    // The places on a curve of each epoch.
    private const int PointsPerEpoch = 4;

    private static readonly Kind[] Kinds =
    [
        new("batch", "batch normalization", "a", Normalization.Batch()),
        new("none", "without", "b", Normalization.None),

        // As Wu and He (2018) have it for images: over a whole image, with a gamma for each channel.
        new("layer", "layer normalization", "c", Normalization.Group(1)),
        new("group", "group normalization", "d", Normalization.Group(8)),
    ];

    private static readonly ExperimentOption<int> Epochs =
        ExperimentOption.Number("--epochs", "passes over the training images of each network", 20, 2, 1, 1000);

    private static readonly ExperimentOption<IReadOnlyList<string>> Normalizations = new(
        "--normalizations",
        "NAMES",
        $"which networks to train [default: {string.Join(',', Kinds.Select(kind => kind.Key))}]",
        [.. Kinds.Select(kind => kind.Key)],
        [.. Kinds.Select(kind => kind.Key)],
        text => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(name =>
            Kinds.Any(kind => kind.Key == name)
                ? name
                : throw new FormatException(
                    $"'{name}' is no network of this experiment; --normalizations takes "
                    + $"{string.Join(',', Kinds.Select(kind => kind.Key))}."))]);

    /// <inheritdoc/>
    public override string Name => "fashion";

    /// <inheritdoc/>
    public override string Description =>
        "Train a residual network on Fashion-MNIST with batch normalization, without, and with layer or group normalization.";

    /// <inheritdoc/>
    public override string Title => "A residual network on Fashion-MNIST";

    /// <inheritdoc/>
    public override string Introduction =>
        "60,000 images of clothes (Xiao et al. 2017, arXiv 1708.07747), 10,000 others to test on once, at the end. Two residual blocks of "
        + "3 × 3 convolutions (He et al. 2015) learn by AdamW with a cosine schedule; each image is moved by up to 2 pixels and perhaps "
        + "mirrored whenever it comes up. All networks are alike in everything but the normalization, the rate of learning included.";

    /// <inheritdoc/>
    public override ExperimentData Data { get; } = new(
        "the folder with the four files of Fashion-MNIST, plain or with .gz; scripts/mnist.sh fashion fetches them",
        "DIR",
        "data/fashion-mnist",
        folder =>
        {
            if (!Directory.Exists(folder))
                throw new DirectoryNotFoundException(
                    $"There is no folder '{folder}' with the images of Fashion-MNIST: run scripts/mnist.sh fashion, which fetches them to "
                    + "data/fashion-mnist, or give --data.");
        });

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Epochs, Normalizations];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var (training, test) = MnistFiles.Read(run.Data);
        if (run.IsQuick) (training, test) = (training.First(QuickRows), test.First(QuickTestRows));
        var standardization = Standardization.Fit(training, new TrainingOptions().FeatureClip);
        (training, test) = (standardization.Apply(training), standardization.Apply(test));
        var (epochs, names) = (run.Get(Epochs), run.Get(Normalizations));
        ExperimentRun.Note(Invariant($"{training.Count:N0} images of shape {training.Shape} to learn from, {test.Count:N0} to test on"));
        run.Expect((double)names.Count * epochs * ((training.Count + BatchSize - 1) / BatchSize));
        var trials = new List<Trial>();
        foreach (var kind in Kinds.Where(kind => names.Contains(kind.Key)))
        {
            run.At(kind.Name);
            trials.Add(Try(run, kind, training, test, epochs));
            var (accuracy, minutes) = (trials[^1].AccuracyText, trials[^1].Time.TotalMinutes);
            ExperimentRun.Note(Invariant($"{kind.Name}: test accuracy {accuracy}, {minutes:0.0} minutes"));
        }

        Report(run, trials, epochs, training.Count);
    }

    /// <summary>The network: 163,378 parameters with batch normalization.</summary>
    internal static Network CreateNetwork(Normalization normalization)
    {
        var network = Normalized(Network.Input(1, 28, 28).Conv2d(24, kernel: 3)).Relu();
        foreach (var channels in new[] { 48, 96 })
            network = network
                .MaxPool(2)
                .Residual(
                    block => Normalized(Normalized(block.Conv2d(channels, kernel: 3)).Relu().Conv2d(channels, kernel: 3)),
                    around => Normalized(around.Conv2d(channels, kernel: 1)))
                .Relu();
        return network.GlobalAveragePool().Dense(Classes);

        Network Normalized(Network layers) => normalization.CreateLayer() is { } layer ? layers.Add(layer) : layers;
    }

    private static Trial Try(ExperimentRun run, Kind kind, TrainingData training, TrainingData test, int epochs)
    {
        var network = CreateNetwork(kind.Normalization);
        var watch = Stopwatch.StartNew();
        using var stepped = new SteppedTraining(network, Loss.SmoothedCrossEntropy(labelSmoothing: 0.1f), training, new TrainingOptions
        {
            BatchSize = BatchSize,
            Epochs = epochs,
            Optimizer = Optimizer.AdamW(LearningRate, weightDecay: 0.05f),
            Schedule = LearningRateSchedule.Cosine(warmup: 0.1),
            Augmentation = Augmentation.Shift(2, mirror: true),
            Seed = run.Seed,
        });
        List<(double Epoch, double Loss)> curve = [];
        var total = (long)epochs * stepped.StepsPerEpoch;
        try
        {
            for (var point = 1L; point <= (long)epochs * PointsPerEpoch; point++)
            {
                var before = stepped.Steps;
                var loss = stepped.Advance((point * total / ((long)epochs * PointsPerEpoch)) - before);
                if (double.IsFinite(loss)) curve.Add(((double)stepped.Steps / stepped.StepsPerEpoch, loss));
                run.Advance(stepped.Steps - before);
            }
        }
        catch (TrainingDivergedException)
        {
            return new Trial(kind, network.ParameterCount, curve, null, watch.Elapsed);
        }

        var accuracy = network.HasStatistics ? stepped.Evaluate(test, stepped.MeasurePopulation()) : stepped.Evaluate(test);
        return new Trial(kind, network.ParameterCount, curve, accuracy.MicroAccuracy, watch.Elapsed);
    }

    private static void Report(ExperimentRun run, List<Trial> trials, int epochs, int rows)
    {
        run.Add(new PlottedFigure(
            "loss",
            "Training loss",
            new PlottedPanel(
                "Training loss",
                new PlottedAxis("passes over the images", "count", From: 0),
                new PlottedAxis("cross-entropy of smoothed labels", "nats"),
                [.. trials.Select(trial => new PlottedLine(trial.Kind.Name, trial.Kind.Style, trial.Curve))])));
        run.Add(
            ["normalization", "parameters", "test accuracy", "training loss at the end", "minutes"],
            [.. trials.Select(trial => (string[])
            [
                trial.Kind.Name,
                Invariant($"{trial.Parameters:N0}"),
                trial.AccuracyText,
                trial.Curve.Count > 0 ? Invariant($"{trial.Curve[^1].Loss:0.0000}") : "–",
                Invariant($"{trial.Time.TotalMinutes:0.0}"),
            ])]);
        run.Found(Invariant($"Test accuracy after {epochs} passes over {rows:N0} images: ")
            + string.Join(", ", trials.Select(trial => $"{trial.Kind.Name} {trial.AccuracyText}")) + ".");
        run.Metrics["data"] = "Fashion-MNIST";
        run.Metrics["epochs"] = epochs;
        run.Metrics["trainingRows"] = rows;
        run.Metrics["networks"] = new JsonArray([.. trials.Select(trial => new JsonObject
        {
            ["normalization"] = trial.Kind.Key,
            ["parameters"] = trial.Parameters,
            ["testAccuracy"] = trial.Accuracy,
            ["trainingLoss"] = trial.Curve.Count > 0 ? trial.Curve[^1].Loss : null,
            ["seconds"] = Math.Round(trial.Time.TotalSeconds, 1),
        })]);
    }

    private sealed record Kind(string Key, string Name, string Style, Normalization Normalization);

    private sealed record Trial(
        Kind Kind, long Parameters, IReadOnlyList<(double Epoch, double Loss)> Curve, double? Accuracy, TimeSpan Time)
    {
        public string AccuracyText => Accuracy is { } accuracy ? Invariant($"{accuracy:0.0000}") : "diverged";
    }
}

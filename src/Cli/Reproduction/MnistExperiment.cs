using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>From the files of the digits to a tested, folded model.</summary>
internal sealed class MnistExperiment : Experiment
{
    // Enough to compare the folded model with the unfolded one, in one run of either.
    private const int ComparedRows = 512;

    private const int QuickRows = 6000;

    // A fixed number: there is no choice of an epoch.
    private static readonly ExperimentOption<int> Epochs =
        ExperimentOption.Number("--epochs", "passes over the training images", 10, 3, 1, 1000);

    /// <inheritdoc/>
    public override string Name => "mnist";

    /// <inheritdoc/>
    public override string Description =>
        "Train a residual network of 73,082 parameters on the MNIST digits, and test it on the 10,000 test images.";

    /// <inheritdoc/>
    public override string Title => "A residual network on the MNIST digits";

    /// <inheritdoc/>
    public override string Introduction =>
        "A small residual network (after He et al. 2015) of 73,082 parameters and 8 batch normalizations learns the digits; each image is "
        + "moved by up to 2 pixels whenever it comes up. Nothing was chosen by looking at the test images, which the folded model sees "
        + "once.";

    /// <inheritdoc/>
    public override ExperimentData Data => ExperimentData.Mnist;

    /// <inheritdoc/>
    public override IReadOnlyList<ExperimentOption> Options => [Epochs];

    /// <inheritdoc/>
    public override void Run(ExperimentRun run)
    {
        var watch = Stopwatch.StartNew();
        var (training, test) = MnistFiles.Read(run.Data);
        if (run.IsQuick) training = training.First(QuickRows);
        ExperimentRun.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{training.Count:N0} images of shape {training.Shape} to learn from, {test.Count:N0} to test on"));
        var options = MnistRecipe.Options with
        {
            Epochs = run.Get(Epochs),
            Seed = run.Seed,
            Progress = Progress.Epoch,
            Warning = Progress.Warning,
        };
        run.Expect((double)options.Epochs * ((training.Count + options.BatchSize - 1) / options.BatchSize));
        var network = NetworkTrainer.Train(MnistRecipe.Network, MnistRecipe.Loss, training, run.Follow(options, "training"));
        run.At("folding, comparing and testing");
        var export = NetworkExporter.Export(network, training.First(ComparedRows));
        using var scorer = OnnxScorer.Load(export.Folded, new OnnxScorerOptions { Outputs = [TrainedNetwork.ProbabilityOutput] });
        var tested = ModelEvaluation.Of(scorer, network.Loss, test).Metrics;
        var singleRow = SingleRowTime.Measure(scorer);

        run.Add("model.onnx", export.Folded.Save);
        run.Add("model.batchnorm.onnx", export.Unfolded.Save);
        run.Print(() => ResultLines.Show(network, export, tested, tested, singleRow, []));
        run.Add(new PlottedFigure("loss", "Loss over training", new PlottedPanel(
            "Loss over training",
            new PlottedAxis("epoch", "number"),
            new PlottedAxis("loss", "nats"),
            new PlottedLine(
                "training images, as they were dealt out", "a", [.. network.History.Select(epoch => ((double)epoch.Epoch, epoch.Loss))]))));
        run.Add(
            ["figure on the test images", "value"],
            [.. tested.Select(figure => new[] { figure.Metric.Name, figure.Metric.Format(figure.Value) })],
            isPrinted: false);
        run.Text(string.Create(
            CultureInfo.InvariantCulture,
            $"{export.Unfolded.BatchNormCount} batch normalizations before folding, {export.Folded.BatchNormCount} after; the two models "
            + $"differ by at most {export.Verification.LargestRelative:0.0e+0} of the output's scale."));
        var what = new JsonObject
        {
            ["task"] = NetworkTask.Of(LearningTask.Multiclass).Name,
            ["data"] = "MNIST",
            ["trainingRows"] = training.Count,
            ["testRows"] = test.Count,
        };
        foreach (var (key, value) in MetricsDocument.Create(what, network, export, tested, watch.Elapsed, singleRow).ToJson())
            run.Metrics[key] = value?.DeepClone();
    }
}

/// <summary>The network for the MNIST digits, and how it is trained. Nothing in it was chosen by looking at the test images.</summary>
internal static class MnistRecipe
{
    /// <summary>A small residual network (after He et al. 2015): 73,082 parameters.</summary>
    public static Network Network { get; } = Network.Input(1, 28, 28)
        .Conv2d(16, kernel: 3).BatchNorm().Relu()
        .MaxPool(2)
        .Residual(
            block => block
                .Conv2d(32, kernel: 3).BatchNorm().Relu()
                .Conv2d(32, kernel: 3).BatchNorm(),
            around => around.Conv2d(32, kernel: 1).BatchNorm())
        .Relu()
        .MaxPool(2)
        .Residual(
            block => block
                .Conv2d(64, kernel: 3).BatchNorm().Relu()
                .Conv2d(64, kernel: 3).BatchNorm(),
            around => around.Conv2d(64, kernel: 1).BatchNorm())
        .Relu()
        .GlobalAveragePool()
        .Dense(MnistFiles.Classes);

    /// <summary>Cross-entropy with a little smoothing: some digits are ambiguous, and nothing is gained by being sure of them.</summary>
    public static Loss Loss { get; } = Loss.SmoothedCrossEntropy(labelSmoothing: 0.1f);

    /// <summary>Every training image takes part; each is moved by up to 2 pixels whenever it comes up.</summary>
    public static TrainingOptions Options { get; } = new()
    {
        BatchSize = 128,
        ValidationFraction = 0,
        Optimizer = Optimizer.AdamW(learningRate: 4e-3f, weightDecay: 0.05f),
        Schedule = LearningRateSchedule.Cosine(warmup: 0.1),
        Statistics = RunningStatistics.Population,
        Augmentation = Augmentation.Shift(2),
    };
}

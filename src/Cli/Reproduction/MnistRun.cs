using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>From the files of the digits to a tested, folded model. Progress goes to stderr, results to stdout.</summary>
internal static class MnistRun
{
    // Enough to compare the folded model with the unfolded one, in one run of either.
    private const int ComparedRows = 512;

    /// <summary>Trains, tests, folds and writes.</summary>
    /// <param name="data">The folder with the four files.</param>
    /// <param name="folder">The folder for the results.</param>
    /// <param name="epochs">Passes over the training images.</param>
    /// <param name="seed">The seed of everything random.</param>
    public static void Execute(string data, string folder, int epochs, int seed)
    {
        OutputFolder.Require(folder, "model.onnx", "model.batchnorm.onnx", "metrics.json");
        var watch = Stopwatch.StartNew();
        var (training, test) = MnistFiles.Read(data);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{training.Count:N0} images of shape {training.Shape} to learn from, {test.Count:N0} to test on"));
        using var progress = Progress.Begin("preparing the training");
        var options = progress.Follow(MnistRecipe.Options with { Epochs = epochs, Seed = seed });
        var network = NetworkTrainer.Train(MnistRecipe.Network, MnistRecipe.Loss, training, options);
        progress.Stage("folding, comparing and testing");

        var compared = training.Select([.. Enumerable.Range(0, Math.Min(ComparedRows, training.Count))]);
        var export = NetworkExporter.Export(network, compared);
        using var scorer = OnnxScorer.Load(export.Folded, new OnnxScorerOptions { Outputs = [TrainedNetwork.ProbabilityOutput] });
        var tested = ModelEvaluation.Of(scorer, network.Loss, test);
        var trained = new TrainedDigits(network, export, tested.Metrics, training.Count, test.Count);
        var singleRow = SingleRowTime.Measure(scorer);
        progress.Dispose();
        var what = new JsonObject
        {
            ["task"] = NetworkTask.Of(LearningTask.Multiclass).Name,
            ["data"] = "MNIST",
            ["seed"] = seed,
            ["trainingRows"] = trained.TrainingRows,
            ["testRows"] = trained.TestRows,
        };
        var metrics = MetricsDocument.Create(what, network, export, trained.TestMetrics, watch.Elapsed, singleRow);
        string[] files = [.. trained.Save(folder), metrics.Write(folder)];
        ResultLines.Show(network, export, trained.TestMetrics, trained.TestMetrics, singleRow, files);
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

    /// <summary>Passes over the images, a fixed number: there is no choice of an epoch.</summary>
    public const int Epochs = 10;

    /// <summary>Every training image takes part; each is moved by up to 2 pixels whenever it comes up.</summary>
    public static TrainingOptions Options { get; } = new()
    {
        BatchSize = 128,
        Epochs = Epochs,
        ValidationFraction = 0,
        Optimizer = Optimizer.AdamW(learningRate: 4e-3f, weightDecay: 0.05f),
        Schedule = LearningRateSchedule.Cosine(warmup: 0.1),
        Statistics = RunningStatistics.Population,
        Augmentation = Augmentation.Shift(2),
    };
}

/// <summary>What training on the digits gave.</summary>
/// <param name="Network">The network.</param>
/// <param name="Export">The same as ONNX, with its batch normalizations and without.</param>
/// <param name="TestMetrics">The figures of the folded model on the test images.</param>
/// <param name="TrainingRows">The images that were learned from.</param>
/// <param name="TestRows">The images that were tested on.</param>
internal sealed record TrainedDigits(
    TrainedNetwork Network, NetworkExport Export, MetricValues TestMetrics, int TrainingRows, int TestRows)
{
    /// <summary>Writes <c>model.onnx</c> (folded) and <c>model.batchnorm.onnx</c>; each appears whole or not at all.</summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <returns>The paths of the files.</returns>
    public IReadOnlyList<string> Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var (folded, unfolded) = (Path.Combine(folder, "model.onnx"), Path.Combine(folder, "model.batchnorm.onnx"));
        Export.Folded.Save(folded);
        Export.Unfolded.Save(unfolded);
        return [folded, unfolded];
    }
}

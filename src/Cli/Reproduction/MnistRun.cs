using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx;
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
    /// <param name="cancellation">Stops training.</param>
    public static void Execute(string data, string folder, int epochs, int seed, CancellationToken cancellation)
    {
        Output.RequireNoFile(folder);
        var watch = Stopwatch.StartNew();
        var (training, test) = MnistFiles.Read(data);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{training.Count:N0} images of shape {training.Shape} to learn from, {test.Count:N0} to test on"));
        using var progress = ProgressDisplay.Create();
        var options = MnistRecipe.Options with { Epochs = epochs, Seed = seed, Progress = progress.Epoch, Warning = progress.Warning };
        var network = NetworkTrainer.Train(MnistRecipe.Network, MnistRecipe.Loss, training, options, cancellationToken: cancellation);
        progress.Dispose();

        var compared = training.Select([.. Enumerable.Range(0, Math.Min(ComparedRows, training.Count))]);
        var export = NetworkExporter.Export(network, compared);
        using var scorer = OnnxScorer.Load(export.Folded, new OnnxScorerOptions { Outputs = [TrainedNetwork.ProbabilityOutput] });
        var tested = ModelEvaluation.Of(scorer, network.Loss, test);
        var trained = new TrainedDigits(network, export, tested.Metrics, training.Count, test.Count);
        var singleRow = SingleRowTime.Measure(scorer);
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

using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>Trains and tests every network of the experiment. Progress goes to stderr, the table to stdout.</summary>
internal static class DepthRun
{
    /// <param name="data">The table of letters.</param>
    /// <param name="folder">The folder for the results.</param>
    /// <param name="depths">Hidden layers of the networks.</param>
    /// <param name="epochs">Passes over the training rows.</param>
    /// <param name="seed">The seed of everything random.</param>
    public static void Execute(string data, string folder, IReadOnlyList<int> depths, int epochs, int seed)
    {
        OutputFolder.Require(folder, "depth.json", "depth.html");
        var (training, test) = TableSplit.Every(CsvTable.Read(data), 0.2);
        var schema = TableSchema.Infer(training, "lettr", LearningTask.Multiclass);
        var (trainingRows, testRows) = (schema.ToRows(training), schema.ToRows(test));
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{trainingRows.Count:N0} letters to learn from, {testRows.Count:N0} to test on"));
        var trials = new List<DepthTrial>();
        var steps = (double)epochs * DepthRecipe.StepsOfEpoch(trainingRows.Count);
        using var progress = Progress.Begin("training", Progress.Steps, 2 * DepthRecipe.LearningRates.Count * depths.Count * steps);
        foreach (var learningRate in DepthRecipe.LearningRates)
        {
            foreach (var depth in depths)
            {
                foreach (var batchNorm in new[] { false, true })
                {
                    var network = DepthRecipe.CreateNetwork((int)trainingRows.Shape.Count, trainingRows.Outputs, depth, batchNorm);
                    var options = progress.Follow(
                        DepthRecipe.CreateOptions(learningRate, epochs, seed),
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{depth} hidden layers {(batchNorm ? "with" : "without")} batch norm at rate {learningRate}"));
                    trials.Add(Try(network, depth, batchNorm, learningRate, trainingRows, testRows, options));
                    progress.Reach(trials.Count * steps);
                    Console.Error.WriteLine(DepthReport.Line(trials[^1]));
                }
            }
        }

        progress.Dispose();
        var report = new DepthReport(trials, trainingRows.Count, testRows.Count, epochs, seed);
        report.Print();
        Console.WriteLine($"written: {string.Join(", ", report.Write(folder))}");
    }

    private static DepthTrial Try(
        Network network, int depth, bool batchNorm, float learningRate, TrainingData training, TrainingData test, TrainingOptions options)
    {
        TrainedNetwork trained;
        try
        {
            trained = NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, training, options);
        }
        catch (TrainingDivergedException)
        {
            return new DepthTrial(depth, batchNorm, learningRate, null, null, null);
        }

        var accuracy = ModelEvaluation.Of(trained.ToOnnx(), trained.Loss, test).Metrics[Metric.MicroAccuracy];
        var last = trained.History[^1];
        return new DepthTrial(depth, batchNorm, learningRate, accuracy, last.Loss, last.Elapsed.TotalSeconds / trained.History.Count);
    }
}

/// <summary>What one network of the experiment came to.</summary>
/// <param name="HiddenLayers">Its depth.</param>
/// <param name="BatchNorm">Whether it has batch normalizations.</param>
/// <param name="LearningRate">The rate it was trained at.</param>
/// <param name="TestAccuracy">The share of the test rows that it gets right; null where training diverged.</param>
/// <param name="TrainingLoss">The mean loss over the last epoch; null where training diverged.</param>
/// <param name="SecondsPerEpoch">The time of an epoch, on average; null where training diverged.</param>
internal sealed record DepthTrial(
    int HiddenLayers, bool BatchNorm, float LearningRate, double? TestAccuracy, double? TrainingLoss, double? SecondsPerEpoch);

/// <summary>
/// Networks of growing depth, with batch normalization and without, alike in everything else: the claim of Ioffe and Szegedy (2015) is that
/// with it deeper networks can be trained, and at higher rates. Nothing here was chosen by looking at the test rows.
/// </summary>
internal static class DepthRecipe
{
    private const int Units = 64;
    private const int BatchSize = 128;

    /// <summary>Hidden layers.</summary>
    public static IReadOnlyList<int> Depths { get; } = [5, 10, 20, 50];

    /// <summary>The learning rates, a careful one and a high one.</summary>
    public static IReadOnlyList<float> LearningRates { get; } = [0.01f, 0.1f];

    /// <summary>Passes over the training rows, a fixed number: there is no choice of an epoch.</summary>
    public const int Epochs = 10;

    /// <summary>
    /// So many times a dense layer of 64 units and a relu (first weights: He), with or without a batch normalization between them.
    /// </summary>
    public static Network CreateNetwork(int features, int classes, int hiddenLayers, bool batchNorm) => Network.FeedForward(
        features,
        [.. Enumerable.Repeat(Units, hiddenLayers)],
        classes,
        Activation.Relu,
        normalization: batchNorm ? Normalization.Batch() : Normalization.None);

    /// <summary>The mini-batches of an epoch.</summary>
    public static int StepsOfEpoch(int rows) => (rows + BatchSize - 1) / BatchSize;

    /// <summary>Stochastic gradient descent with momentum 0.9, at one rate from the first step to the last.</summary>
    public static TrainingOptions CreateOptions(float learningRate, int epochs, int seed) => new()
    {
        BatchSize = BatchSize,
        Epochs = epochs,
        ValidationFraction = 0,
        Optimizer = Optimizer.Sgd(learningRate, momentum: 0.9f),
        Statistics = RunningStatistics.Population,
        StatisticsTolerance = double.PositiveInfinity,
        Seed = seed,
    };
}

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
    /// <param name="cancellation">Stops training.</param>
    public static void Execute(string data, string folder, IReadOnlyList<int> depths, int epochs, int seed, CancellationToken cancellation)
    {
        Output.RequireNoFile(folder);
        var (training, test) = TableSplit.Every(CsvTable.Read(data), 0.2);
        var schema = TableSchema.Infer(training, "lettr", LearningTask.Multiclass);
        var (trainingRows, testRows) = (schema.ToRows(training), schema.ToRows(test));
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{trainingRows.Count:N0} letters to learn from, {testRows.Count:N0} to test on"));
        var trials = new List<DepthTrial>();
        foreach (var learningRate in DepthRecipe.LearningRates)
        {
            foreach (var depth in depths)
            {
                foreach (var batchNorm in new[] { false, true })
                {
                    var network = DepthRecipe.CreateNetwork((int)trainingRows.Shape.Count, trainingRows.Outputs, depth, batchNorm);
                    trials.Add(Try(network, depth, batchNorm, learningRate, trainingRows, testRows, epochs, seed, cancellation));
                    Console.Error.WriteLine(DepthReport.Line(trials[^1]));
                }
            }
        }

        var report = new DepthReport(trials, trainingRows.Count, testRows.Count, epochs, seed);
        report.Print();
        Console.WriteLine($"written: {string.Join(", ", report.Write(folder))}");
    }

    private static DepthTrial Try(
        Network network, int depth, bool batchNorm, float learningRate, TrainingData training, TrainingData test, int epochs, int seed,
        CancellationToken cancellation)
    {
        TrainedNetwork trained;
        try
        {
            trained = NetworkTrainer.Train(
                network, Loss.SoftmaxCrossEntropy, training, DepthRecipe.CreateOptions(learningRate, epochs, seed),
                cancellationToken: cancellation);
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

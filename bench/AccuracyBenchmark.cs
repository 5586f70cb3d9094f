using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// How right our default network is beside ML.NET's own trainers with their defaults: the same rows, the same features, the same figures
/// computed by the same code.
/// </summary>
internal sealed class AccuracyBenchmark() : Benchmark(
    "accuracy", "Accuracy", "Train our default network and ML.NET's own trainers on the tables of sample-data; compare test figures.")
{
    private const string Features = "Features";

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var table in SampleTable.All) rows.AddRange(Measure(table, arguments.GetValue(Quick), cancellation));
        report.Paragraph(
            "Our network and ML.NET's trainers, each with its defaults, on the same training rows and the same features (numbers, the mean "
            + "where one is missing, and categories one-hot), and their figures on the test rows. The linear ones get each feature brought "
            + "to variance 1. Seconds are those of the training; ours include the export to ONNX and its check.");
        report.Table(["table", "trainer", "AUC, accuracy or RMSE", "log-loss or MAE", "seconds"], rows, texts: 2);
        return Task.FromResult(ExitCode.Done);
    }

    private static IEnumerable<string[]> Measure(SampleTable table, bool quick, CancellationToken cancellation)
    {
        var (training, test) = table.Read();
        var network = new BatchNormNetworkOptions { Device = Device.Cpu };
        if (quick) network = network with { Epochs = 1 };
        Report.Progress($"accuracy with {table.File}: BatchNormNetwork");
        var start = Stopwatch.GetTimestamp();
        var options = new TableTrainingOptions { Label = table.Label, Task = table.Task, Network = network };
        using var ours = TableTrainer.Train(training, test, options);
        yield return Row(table, "BatchNormNetwork", ours.TestMetrics, Stopwatch.GetElapsedTime(start));

        var ml = new MLContext(seed: 0);
        var (learned, tested) = (View(ml, training, ours), View(ml, test, ours));
        foreach (var (name, trainer) in Trainers(ml, table, quick))
        {
            cancellation.ThrowIfCancellationRequested();
            Report.Progress($"accuracy with {table.File}: {name}");
            start = Stopwatch.GetTimestamp();
            var model = trainer.Fit(learned);
            var time = Stopwatch.GetElapsedTime(start);
            var predictions = Predictions(table.Task, model.Transform(tested));
            yield return Row(table, name, ours.Network.Model.Loss.Measure(predictions, ours.Tested.Rows), time);
            (model as IDisposable)?.Dispose();
        }
    }

    // The features that our network learned from, and the label as ML.NET's trainers take it, in memory.
    private static IDataView View(MLContext ml, CsvTable rows, TrainedTable ours)
    {
        var label = ours.Schema.Label;
        IDataView view = TableDataView.ForTraining(rows, ours.Schema, Features);
        if (label.Task.Kind == LearningTask.Multiclass)
        {
            var classes = ml.Data.LoadFromEnumerable(label.Classes.Select(name => new ClassName { Name = name }));
            view = ml.Transforms.Conversion.MapValueToKey(label.Column, keyData: classes).Fit(view).Transform(view);
        }

        return ml.Data.Cache(ml.Transforms.SelectColumns(Features, label.Column).Fit(view).Transform(view));
    }

    private static IEnumerable<(string Name, IEstimator<ITransformer> Trainer)> Trainers(MLContext ml, SampleTable table, bool quick)
    {
        var (label, trees) = (table.Label, quick ? 5 : 100);
        var scaled = ml.Transforms.NormalizeMeanVariance(Features);
        switch (table.Task)
        {
            case LearningTask.Binary:
                var binary = ml.BinaryClassification.Trainers;
                yield return ("LightGbm", binary.LightGbm(label, Features, numberOfIterations: trees));
                yield return ("FastTree", binary.FastTree(label, Features, numberOfTrees: trees));
                yield return ("LbfgsLogisticRegression", scaled.Append(binary.LbfgsLogisticRegression(label, Features)));
                break;
            case LearningTask.Multiclass:
                var multiclass = ml.MulticlassClassification.Trainers;
                yield return ("LightGbm", multiclass.LightGbm(label, Features, numberOfIterations: trees));
                var oneTree = ml.BinaryClassification.Trainers.FastTree(label, Features, numberOfTrees: trees);
                yield return ("FastTree, OneVersusAll", multiclass.OneVersusAll(oneTree, label));
                yield return ("LbfgsMaximumEntropy", scaled.Append(multiclass.LbfgsMaximumEntropy(label, Features)));
                break;
            default:
                var regression = ml.Regression.Trainers;
                yield return ("LightGbm", regression.LightGbm(label, Features, numberOfIterations: trees));
                yield return ("FastTree", regression.FastTree(label, Features, numberOfTrees: trees));
                yield return ("Sdca", scaled.Append(regression.Sdca(label, Features)));
                break;
        }
    }

    private static float[] Predictions(LearningTask task, IDataView scored) => task switch
    {
        LearningTask.Binary => [.. scored.GetColumn<float>("Probability")],
        LearningTask.Multiclass => [.. scored.GetColumn<float[]>("Score").SelectMany(row => row)],
        _ => [.. scored.GetColumn<float>("Score")],
    };

    private static string[] Row(SampleTable table, string trainer, MetricValues figures, TimeSpan time)
    {
        Metric[] metrics = table.Task switch
        {
            LearningTask.Binary => [Metric.AreaUnderRocCurve, Metric.LogLoss],
            LearningTask.Multiclass => [Metric.MicroAccuracy, Metric.LogLoss],
            _ => [Metric.RootMeanSquaredError, Metric.MeanAbsoluteError],
        };
        return
        [
            table.File,
            trainer,
            .. metrics.Select(metric => $"{metric.Name} {metric.Format(figures[metric]!.Value)}"),
            time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture),
        ];
    }

    private sealed class ClassName
    {
        public required string Name { get; init; }
    }
}

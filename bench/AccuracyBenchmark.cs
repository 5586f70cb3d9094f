using System.CommandLine;
using System.Globalization;
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
    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var table in SampleTable.All) rows.AddRange(Measure(table, arguments.GetValue(Quick), cancellation));
        report.Paragraph(
            "Our network and ML.NET's trainers, each with its defaults, on the same training rows and the same features (numbers, the mean "
            + "where one is missing, and categories one-hot), and their figures on the test rows. The linear ones get each feature brought "
            + "to mean 0 and variance 1. Seconds are those of the training; ours include the export to ONNX and its check.");
        report.Table(["table", "trainer", "AUC, accuracy or RMSE", "log-loss or MAE", "seconds"], rows, texts: 2);
        return Task.FromResult(ExitCode.Done);
    }

    private static IEnumerable<string[]> Measure(SampleTable table, bool quick, CancellationToken cancellation)
    {
        var (training, test) = table.Read();
        var network = new BatchNormNetworkOptions { Device = Device.Cpu };
        if (quick) (network, training, test) = (network with { Epochs = 1 }, First(training, 1000), First(test, 500));
        Report.Progress($"accuracy with {table.File}: BatchNormNetwork");
        var watch = TrainingCost.Start();
        var options = new TableTrainingOptions { Label = table.Label, Task = table.Task, Network = network };
        using var ours = TableTrainer.Train(training, test, options);
        yield return Row(table, "BatchNormNetwork", ours.TestMetrics, watch.Elapsed().Time);

        foreach (var peer in StockTrainers.Measure(
            training, test, ours, [StockTrainers.LightGbm, StockTrainers.FastTree, StockTrainers.Linear], quick))
        {
            cancellation.ThrowIfCancellationRequested();
            Report.Progress($"accuracy with {table.File}: {peer.Name}");
            yield return Row(table, peer.Name, peer.Figures, peer.Cost.Time);
        }
    }

    private static CsvTable First(CsvTable table, int rows) => table.Select([.. Enumerable.Range(0, Math.Min(rows, table.RowCount))]);

    private static string[] Row(SampleTable table, string trainer, MetricValues figures, TimeSpan time)
    {
        return
        [
            table.File,
            trainer,
            .. DevelopmentTable.MeasuresOf(table.Task).Select(metric => $"{metric.Name} {metric.Format(figures[metric]!.Value)}"),
            time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture),
        ];
    }
}

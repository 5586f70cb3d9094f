using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// What each precision costs on the tables of <c>sample-data</c>: networks with the tool's defaults (options, seed, test rows), and their
/// figures on the test rows.
/// </summary>
internal sealed class PrecisionTables() : Benchmark(
    "precision-tables", "Precisions: what the bits cost", "Train on the tables of sample-data in each precision; compare test figures.")
{
    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        // Nothing is refused: a loss of all is allowed.
        var network = new BatchNormNetworkOptions { Preset = Preset.Fast, AllowedMetricLoss = 1, Device = Device.Cpu };
        if (arguments.GetValue(Quick)) network = network with { Epochs = 1 };
        var rows = new List<IReadOnlyList<string>>();
        foreach (var table in SampleTable.All)
        {
            Report.Progress($"precisions with {table.File}");
            var (training, test) = table.Read();
            foreach (var precision in Enum.GetValues<ModelPrecision>())
            {
                cancellation.ThrowIfCancellationRequested();
                rows.Add(Train(table, training, test, network with { Precision = precision }));
            }
        }

        report.Paragraph(
            "Networks of the fast preset with the tool's seed, each in a precision. The worst loss is that of the figures shown, of "
            + "itself for the RMSE; the largest difference is that of an output in relation to its scale, on 1000 training rows.");
        report.Table(["table", "precision", "file, bytes", "test figures", "worst loss", "largest difference"], rows, texts: 4);
        return Task.FromResult(ExitCode.Done);
    }

    private static string[] Train(SampleTable table, CsvTable training, CsvTable test, BatchNormNetworkOptions network)
    {
        var options = new TableTrainingOptions { Label = table.Label, Task = table.Task, Network = network };
        using var trained = TableTrainer.Train(training, test, options);
        var figures = trained.TestMetrics.Where(figure => figure.Metric.IsJudged).ToList();
        var worst = new MetricComparison(trained.Float32TestMetrics, trained.TestMetrics).Losses
            .Where(loss => loss.Metric.IsJudged)
            .Max(loss => loss.Value);
        var reduced = trained.Network.Export.Reduced?.Check;
        return
        [
            table.File,
            PrecisionNames.NameOf(network.Precision),
            trained.Network.Export.Deployed.ByteCount.ToString("N0", CultureInfo.InvariantCulture),
            string.Join(", ", figures.Select(figure => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)}")),
            reduced is null ? string.Empty : (Math.Round(worst, 4) + 0.0).ToString("0.0000", CultureInfo.InvariantCulture),
            reduced is null ? string.Empty : reduced.Comparison!.LargestRelative.ToString("0.0e+0", CultureInfo.InvariantCulture),
        ];
    }
}

using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Bench;

/// <summary>What it costs to look into a training: the default network on each sample table, with and without, in turn.</summary>
internal sealed class DiagnosticsBenchmark : Benchmark
{
    private const int Pairs = 3;
    private const int Epochs = 6;

    public DiagnosticsBenchmark()
        : base("diagnostics", "Looking into a training", "Time trainings of the default network with and without diagnostics, in turn.")
    {
    }

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var quick = arguments.GetValue(Quick);
        var rows = new List<string[]>();
        foreach (var table in SampleTable.All)
        {
            Report.Progress($"diagnostics {table.File}");
            var (training, test) = table.Read();
            var (plain, seen) = (new List<double>(), new List<double>());
            for (var pair = 0; pair < (quick ? 1 : Pairs); pair++)
            {
                cancellation.ThrowIfCancellationRequested();
                plain.Add(Train(table, training, test, quick ? 2 : Epochs, null));
                seen.Add(Train(table, training, test, quick ? 2 : Epochs, new DiagnosticsOptions()));
            }

            rows.Add(
            [
                table.File, training.RowCount.ToString("N0", CultureInfo.InvariantCulture), Seconds(Median(plain)), Seconds(Median(seen)),
                Median(plain.Zip(seen, (without, with) => with / without)).ToString("0.00", CultureInfo.InvariantCulture),
            ]);
        }

        report.Paragraph(
            $"Processor time from the call of the trainer to the end of the last of {Epochs} epochs, medians of {Pairs} trainings each, "
            + "one without and one with diagnostics in turn; the ratio is the median of the pairs.");
        report.Table(["table", "rows", "without, s", "with, s", "ratio"], rows, 1);
        return Task.FromResult(ExitCode.Done);
    }

    // Processor time is about the same on a machine that others use, too.
    private static double Train(SampleTable table, CsvTable training, CsvTable test, int epochs, DiagnosticsOptions? diagnostics)
    {
        var watch = TrainingCost.Start();
        TrainingCost? cost = null;
        var options = new TableTrainingOptions
        {
            Label = table.Label,
            Task = table.Task,
            Network = new BatchNormNetworkOptions
            {
                Epochs = epochs,
                EarlyStoppingPatience = 0,
                Diagnostics = diagnostics,
                Device = Device.Cpu,
                Progress = _ => cost = watch.Elapsed(),
            },
        };
        using var trained = TableTrainer.Train(training, test, options);
        return cost!.Cpu.TotalSeconds;
    }

    private static string Seconds(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}

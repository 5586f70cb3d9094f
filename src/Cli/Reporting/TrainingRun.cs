using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Cli.Timing;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>A training with everything that the tool says about it. Progress goes to stderr, results to stdout.</summary>
internal static class TrainingRun
{
    public static void Execute(
        CsvTable training, CsvTable test, TableTrainingOptions options, string folder, CancellationToken cancellation)
    {
        Output.RequireNoFile(folder);
        var watch = Stopwatch.StartNew();
        using var progress = ProgressDisplay.Create();
        options = options with
        {
            Network = options.Network with { Progress = progress.Epoch, Warning = progress.Warning, CancellationToken = cancellation },
        };
        using var trained = Train(training, test, options);
        progress.Dispose();
        Output.NoteDevice(trained.Network.DeviceReport);

        var singleRow = SingleRowTime.Measure(trained.Network.Scorer);
        var speed = trained.Network.Export.Reduced is { } reduced
            ? PrecisionSpeed.Measure(trained.Network.Export.Folded.Proto, reduced.Model.Proto)
            : [];
        var metrics = MetricsDocument.Create(trained, watch.Elapsed, singleRow, speed);
        List<string> files = [.. trained.Save(folder), metrics.Write(folder)];
        FoldedPipeline? pipeline = null;
        try
        {
            if (options.WholePipeline)
            {
                (var path, pipeline) = trained.SavePipeline(folder, test);
                files.Add(path);
            }
        }
        finally
        {
            // What was written stays and is reported, also where the pipeline would not give the same predictions.
            files.Add(HtmlReport.Write(trained, Path.GetFileName(training.FilePath), singleRow, folder, files));
            ResultLines.Show(
                trained.Network.Model, trained.Network.Export, trained.TestMetrics, trained.Float32TestMetrics, singleRow, files, speed);
        }

        if (pipeline is not null) ResultLines.Show(pipeline);
    }

    private static TrainedTable Train(CsvTable training, CsvTable test, TableTrainingOptions options)
    {
        var checkpoint = options.Network.Checkpoint?.Path;
        if (checkpoint is not null && File.Exists(checkpoint)) Console.Error.WriteLine($"going on from {checkpoint}");
        try
        {
            return TableTrainer.Train(training, test, options, schema => ShowColumns(schema, training, test));
        }
        catch (OperationCanceledException exception) when (checkpoint is not null && File.Exists(checkpoint))
        {
            throw new StoppedException($"stopped; the same command goes on from {checkpoint}.", exception);
        }
    }

    private static void ShowColumns(TableSchema schema, CsvTable training, CsvTable test)
    {
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{training.RowCount + test.RowCount:N0} rows and {training.Columns.Count} columns read: {training.RowCount:N0} rows to learn "
                + $"from, {test.RowCount:N0} to test on"));
        Console.Error.WriteLine($"predicting {schema.Label.Column}: {Describe(schema)}");
        Console.Error.WriteLine($"{schema.Features.FeatureCount} features from {schema.Features.Columns.Count} columns");
        foreach (var report in schema.Reports)
        {
            if (report.Kind == ColumnKind.Dropped) Console.Error.WriteLine($"note: column {report.Name} is left out: {report.Detail}");
            else if (report.MissingRows > 0)
                Console.Error.WriteLine($"note: column {report.Name} has {report.MissingRows} missing values: {report.Detail}");
            if (report.Problem is { } problem) Console.Error.WriteLine($"warning: column {report.Name} {problem}");
            if (report.Reading is { } reading) Console.Error.WriteLine($"note: column {report.Name} {reading}");
        }
    }

    private static string Describe(TableSchema schema) => schema.Label.PositiveClass is { } positive
        ? $"positive is {positive}, negative is {schema.Label.Classes[0]}"
        : schema.Reports.First(report => report.Kind == ColumnKind.Label).Detail;
}

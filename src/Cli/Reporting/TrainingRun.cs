using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;
using MlNetBatchNorm.Transforms.Tables;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>A training with everything that the tool says about it. Progress goes to stderr, results to stdout.</summary>
internal static class TrainingRun
{
    public static void Execute(
        CsvTable training, CsvTable test, TableTrainingOptions options, string folder, bool wholePipeline, CancellationToken cancellation)
    {
        // Before the work, not after it. The folder itself is made at the end: a training that fails leaves nothing behind.
        if (File.Exists(folder)) throw new IOException($"'{folder}' is a file; --out needs a folder, which is made if it is not there.");
        var watch = Stopwatch.StartNew();
        using var progress = ProgressDisplay.Create();
        options = options with { Network = options.Network with { Progress = progress.Epoch, Warning = progress.Warning, CancellationToken = cancellation } };
        using var trained = TableTrainer.Train(training, test, options, schema => ShowColumns(schema, training, test));
        progress.Dispose();
        CommonOptions.ReportDevice(trained.Network.Scorer.DeviceReport);

        var singleRow = SingleRowTime.Measure(trained.Network.Scorer);
        var metrics = MetricsDocument.Create(trained, watch.Elapsed, singleRow);
        string[] files = [.. trained.Save(folder), metrics.Write(folder)];
        ShowResults(trained, singleRow, files);
        if (wholePipeline) ShowPipeline(trained.SavePipeline(folder, test));
    }

    private static void ShowColumns(TableSchema schema, CsvTable training, CsvTable test)
    {
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{training.RowCount + test.RowCount:N0} rows and {training.Columns.Count} columns read: {training.RowCount:N0} rows to learn from, {test.RowCount:N0} to test on"));
        Console.Error.WriteLine($"predicting {schema.Label.Column}: {Describe(schema)}");
        Console.Error.WriteLine($"{schema.Features.FeatureCount} features from {schema.Features.Columns.Count} columns");
        foreach (var report in schema.Reports)
        {
            if (report.Kind == ColumnKind.Dropped) Console.Error.WriteLine($"note: column {report.Name} is left out: {report.Detail}");
            else if (report.MissingRows > 0) Console.Error.WriteLine($"note: column {report.Name} has {report.MissingRows} missing values: {report.Detail}");
        }
    }

    private static void ShowResults(TrainedTable trained, TimeSpan singleRow, string[] files)
    {
        var network = trained.Network;
        var best = network.Network.Best;
        var verification = network.Export.Verification;
        Line("best epoch", $"{best.Epoch} of {network.Network.History.Count}, on {network.Network.Device}");
        foreach (var (name, value) in trained.TestMetrics) Line($"test {Figure.Name(name)}", Figure.Value(name, value));
        Line("batch norms", $"{BatchNorms(network.Export.Unfolded)} before folding, {BatchNorms(network.Export.Folded)} after");
        Line("folded - unfolded", string.Create(
            CultureInfo.InvariantCulture,
            $"at most {verification.LargestAbsolute:0.0e+0}, {verification.LargestRelative:0.0e+0} of the output's scale"));
        if (network.Export.Reduced is { } reduced) ShowPrecision(reduced, trained);
        Line("single prediction", string.Create(CultureInfo.InvariantCulture, $"{singleRow.TotalMicroseconds:0.0} µs"));
        Line("written", string.Join(", ", files));
    }

    private static void ShowPrecision(ReducedNetwork reduced, TrainedTable trained)
    {
        var (result, comparison) = (reduced.Check.Result, reduced.Check.Comparison!);
        Line("precision", string.Create(
            CultureInfo.InvariantCulture,
            $"{PrecisionNames.NameOf(reduced.Precision)}, {result.BytesBefore:N0} to {result.BytesAfter:N0} bytes; at most {comparison.LargestRelative:0.0e+0} of the output's scale from float32"));
        foreach (var kept in result.Outcomes.Where(outcome => !outcome.IsReduced)) Line("stays float32", $"{kept.Name}: {kept.Detail}");
        Line("test with float32", string.Join(", ", trained.Float32TestMetrics.Select(figure => $"{Figure.Name(figure.Key)} {Figure.Value(figure.Key, figure.Value)}")));
    }

    private static void ShowPipeline(PipelineExport pipeline)
    {
        Line("whole pipeline", string.Create(
            CultureInfo.InvariantCulture,
            $"{pipeline.Inputs.Count} columns in, {string.Join(", ", pipeline.Outputs.Select(output => output.Name))} out, {pipeline.Nodes} nodes"));
        Line("pipeline - ML.NET", string.Create(
            CultureInfo.InvariantCulture,
            $"at most {pipeline.LargestAbsolute:0.0e+0}, {pipeline.LargestRelative:0.0e+0} of the output's scale, in {pipeline.RowsCompared:N0} rows"));
        Line("written", pipeline.Path);
    }

    private static string Describe(TableSchema schema) => schema.Label.PositiveClass is { } positive
        ? $"positive is {positive}, negative is {schema.Label.Classes[0]}"
        : schema.Reports.First(report => report.Kind == ColumnKind.Label).Detail;

    private static int BatchNorms(Onnx.Proto.ModelProto model) => model.Graph.Node.Count(node => node.OpType == "BatchNormalization");

    private static void Line(string name, string value) => Console.WriteLine($"{name,-20} {value}");
}

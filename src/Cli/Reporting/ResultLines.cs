using System.Globalization;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The last lines of a training, on stdout.</summary>
internal static class ResultLines
{
    /// <param name="network">The network.</param>
    /// <param name="export">The same as ONNX.</param>
    /// <param name="testMetrics">The figures of the written model on the test rows.</param>
    /// <param name="float32Metrics">Those that it has with float32 weights; only looked at where it has fewer bits.</param>
    /// <param name="singleRow">What one prediction takes.</param>
    /// <param name="files">What was written; empty where somebody else says so.</param>
    /// <param name="speed">What scoring takes with fewer bits; null or empty where it was not measured.</param>
    /// <param name="found">What was found out about the network; null where nothing was.</param>
    public static void Show(
        TrainedNetwork network,
        NetworkExport export,
        MetricValues testMetrics,
        MetricValues float32Metrics,
        TimeSpan singleRow,
        IReadOnlyList<string> files,
        IReadOnlyList<PrecisionSpeed>? speed = null,
        ModelAssessment? found = null)
    {
        var best = network.Best;
        var verification = export.Verification;
        Line("best epoch", $"{best.Epoch} of {network.History.Count}, on {network.Device}");
        foreach (var (metric, value) in testMetrics) Line($"test {metric.Name}", metric.Format(value));
        if (network.OutOfFold is { } predicted)
            Line("out of fold", string.Join(", ", predicted.Metrics.Values.Select(
                figure => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)}")));
        if (found is not null) Show(found);
        if (network.Diagnostics.Count > 0)
        {
            var findings = network.Warnings.Count(warning => warning.IsOfDiagnostics);
            Line(
                "inside",
                $"{(findings == 0 ? "nothing unusual" : $"{findings} finding{(findings == 1 ? string.Empty : "s")}")} in "
                + $"{network.Diagnostics.DistinctBy(look => look.Layer).Count()} layers");
        }

        Line("batch norms", $"{export.Unfolded.BatchNormCount} before folding, {export.Folded.BatchNormCount} after");
        foreach (var kept in export.Folding.BatchNorms.Where(outcome => outcome.Status == FoldStatus.Declined))
            Line("not folded", $"{kept.Name}: {kept.Reason}");
        Line("folded - unfolded", string.Create(
            CultureInfo.InvariantCulture,
            $"at most {verification.LargestAbsolute:0.0e+0}, {verification.LargestRelative:0.0e+0} of the output's scale"));
        if (export.RoundingNoise is { } noise)
            Line(
                "steep network",
                string.Create(
                    CultureInfo.InvariantCulture, $"the last digit of its inputs moves it by {noise:0.0e+0} of the output's scale"));
        if (export.Reduced is { } reduced) ShowPrecision(reduced, float32Metrics, speed ?? []);
        Line("single prediction", string.Create(CultureInfo.InvariantCulture, $"{singleRow.TotalMicroseconds:0.0} µs"));
        if (files.Count > 0) Line("written", string.Join(", ", files));
    }

    /// <summary>What tuning brought.</summary>
    public static void Show(TunedTable tuned, TrainedTable trained)
    {
        var best = tuned.Tuning.Best;
        Line("tuned", $"{tuned.Settings} settings; taken is trial {best.Number}: {best.Changes}");
        Line("on folds", tuned.OnFolds());
        if (tuned.OnTestRows(trained) is { } tested) Line("on test rows", tested);
    }

    /// <summary>What became of the whole pipeline.</summary>
    public static void Show(FoldedPipeline pipeline)
    {
        Line("whole pipeline", string.Create(
            CultureInfo.InvariantCulture,
            $"{pipeline.Inputs.Count} columns in, {string.Join(", ", pipeline.Outputs.Select(output => output.Name))} out, "
                + $"{pipeline.Nodes} nodes"));
        Line("pipeline - ML.NET", string.Create(
            CultureInfo.InvariantCulture,
            $"at most {pipeline.LargestAbsolute:0.0e+0}, {pipeline.LargestRelative:0.0e+0} of the output's scale, in "
                + $"{pipeline.RowsCompared:N0} rows"));
        foreach (var value in pipeline.DiffersFor) Line("differs for", value);
    }

    private static void Show(ModelAssessment found)
    {
        if (found.Linear is { } linear)
            Line("linear model", string.Join(", ", linear.Test.Select(
                figure => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)}")));
        if (found.Columns is { } columns && columns.First.Any())
        {
            var names = NameList.Of(columns.First.Select(column => column.Column));
            var losses = columns.First.Select(column => $"+{VerdictSentences.Text(columns.Loss, column.Loss.Value)}");
            Line("depends most on", $"{names} ({columns.Loss.Name} {string.Join(", ", losses)} without)");
        }

        if (found.Thresholds is { Costs.AreEqual: false } thresholds)
            Line("cheapest threshold", string.Create(
                CultureInfo.InvariantCulture,
                $"{thresholds.Best:0.0000}, which costs {thresholds.Test(thresholds.Best).Cost:0.#} in 1,000 test rows (0.5: "
                    + $"{thresholds.Test(DecisionThresholds.Usual).Cost:0.#})"));
    }

    private static void ShowPrecision(ReducedNetwork reduced, MetricValues float32Metrics, IReadOnlyList<PrecisionSpeed> speed)
    {
        var (result, comparison) = (reduced.Check.Result, reduced.Check.Comparison!);
        Line("precision", string.Create(
            CultureInfo.InvariantCulture,
            $"{PrecisionNames.NameOf(reduced.Precision)}, {result.BytesBefore:N0} to {result.BytesAfter:N0} bytes; at most "
                + $"{comparison.LargestRelative:0.0e+0} of the output's scale from float32"));
        foreach (var kept in result.Outcomes.Where(outcome => !outcome.IsReduced)) Line("stays float32", $"{kept.Name}: {kept.Detail}");
        Line(
            "test with float32",
            string.Join(", ", float32Metrics.Select(figure => $"{figure.Metric.Name} {figure.Metric.Format(figure.Value)}")));
        foreach (var line in PrecisionReport.Describe(reduced.Precision, speed)) Line("speed", line);
    }

    private static void Line(string name, string value) => Console.WriteLine($"{name,-20} {value}");
}

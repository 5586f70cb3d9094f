using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>What fewer bits gave and cost: lines for people, and the same as JSON for scripts.</summary>
internal static class PrecisionReport
{
    /// <summary>Prints it to stdout.</summary>
    /// <param name="check">What was done and compared.</param>
    /// <param name="speed">What scoring takes; empty where it was not measured.</param>
    public static void Print(PrecisionCheck check, IReadOnlyList<PrecisionSpeed> speed)
    {
        var result = check.Result;
        foreach (var kept in result.Outcomes.Where(outcome => !outcome.IsReduced))
            Console.WriteLine($"{kept.Name} stays float32: {kept.Detail}");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{PrecisionNames.NameOf(result.Precision)}: {result.Outcomes.Count(outcome => outcome.IsReduced)} of {result.Outcomes.Count}, "
                + $"{result.BytesBefore:N0} → {result.BytesAfter:N0} bytes"));
        if (check.Comparison is { } comparison)
        {
            var allowed = check.Tolerance == double.MaxValue
                ? string.Empty
                : string.Create(CultureInfo.InvariantCulture, $" (allowed: {check.Tolerance:G3})");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"largest difference to float32: {comparison.LargestAbsolute:G3} absolute, {comparison.LargestRelative:G3} of the output's "
                    + $"scale{allowed}"));
        }

        foreach (var (output, share) in check.Changed)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"'{output}' differs in {share:P2} of its elements"));
        if (check.Labeled is { } labeled)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"'{labeled.Output}' in {labeled.Rows:N0} rows with labels (allowed loss: {check.AllowedLoss:G3}):"));
            foreach (var (metric, before) in labeled.Metrics.Before)
                Console.WriteLine($"  {metric.Name}: {metric.Format(before)} → {metric.Format(labeled.Metrics.After[metric]!.Value)}");
        }

        foreach (var line in Describe(check.Result.Precision, speed)) Console.WriteLine(line);
    }

    /// <summary>What scoring takes in both precisions: a sentence for each number of rows.</summary>
    public static IEnumerable<string> Describe(ModelPrecision precision, IReadOnlyList<PrecisionSpeed> speed)
    {
        foreach (var time in speed)
        {
            var rows = time.Rows == 1 ? "one row" : $"{time.Rows} rows";
            var warning = time.Ratio > 1.1 ? $"; {PrecisionNames.NameOf(precision)} is slower here" : string.Empty;
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{rows}: {time.Reduced:0.0} µs on this CPU, {time.Ratio:0.00} times the {time.Float32:0.0} µs of float32{warning}");
        }
    }

    /// <summary>The document; differences that were not measured are null.</summary>
    /// <param name="check">What was done and compared.</param>
    /// <param name="speed">What scoring takes; empty where it was not measured.</param>
    public static JsonObject ToJson(PrecisionCheck check, IReadOnlyList<PrecisionSpeed> speed) => new()
    {
        ["bytesFloat32"] = check.Result.BytesBefore,
        ["bytes"] = check.Result.BytesAfter,
        ["largestAbsoluteDifference"] = check.Comparison?.LargestAbsolute,
        ["largestRelativeDifference"] = check.Comparison?.LargestRelative,
        ["changed"] = new JsonObject(check.Changed.Select(output => KeyValuePair.Create(output.Key, (JsonNode?)output.Value))),
        ["figures"] = check.Labeled is not { } labeled ? null : new JsonObject
        {
            ["output"] = labeled.Output,
            ["rows"] = labeled.Rows,
            ["float32"] = MetricsDocument.Figures(labeled.Metrics.Before),
            ["reduced"] = MetricsDocument.Figures(labeled.Metrics.After),
            ["loss"] = MetricsDocument.Figures(labeled.Metrics.Losses),
        },
        ["speed"] = new JsonArray([.. speed.Select(time => new JsonObject
        {
            ["rows"] = time.Rows,
            ["float32Microseconds"] = time.Float32,
            ["microseconds"] = time.Reduced,
        })]),
        ["weights"] = new JsonArray([.. check.Result.Outcomes.Select(outcome => new JsonObject
        {
            ["name"] = outcome.Name,
            ["reduced"] = outcome.IsReduced,
            ["detail"] = outcome.Detail,
        })]),
    };

    /// <summary>The same for a trained network, with the rows that it was compared on and the figures on the test rows.</summary>
    public static JsonObject ToJson(
        ReducedNetwork reduced, MetricValues float32Test, MetricValues test, IReadOnlyList<PrecisionSpeed> speed)
    {
        var document = ToJson(reduced.Check, speed);
        // There, figures are those on the test rows.
        document.Remove("figures");
        document["rows"] = reduced.Rows;
        document["testFloat32"] = MetricsDocument.Figures(float32Test);
        document["testLoss"] = MetricsDocument.Figures(new MetricComparison(float32Test, test).Losses);
        return document;
    }
}

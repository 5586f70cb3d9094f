using System.Globalization;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>What fewer bits gave and cost: lines for people, and the same as JSON for scripts.</summary>
internal static class PrecisionReport
{
    /// <summary>Prints it to stdout.</summary>
    public static void Print(PrecisionCheck check)
    {
        var result = check.Result;
        foreach (var kept in result.Outcomes.Where(outcome => !outcome.IsReduced)) Console.WriteLine($"{kept.Name} stays float32: {kept.Detail}");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{PrecisionNames.NameOf(result.Precision)}: {result.Outcomes.Count(outcome => outcome.IsReduced)} of {result.Outcomes.Count}, {result.BytesBefore:N0} → {result.BytesAfter:N0} bytes"));
        if (check.Comparison is { } comparison)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"largest difference to float32: {comparison.LargestAbsolute:G3} absolute, {comparison.LargestRelative:G3} of the output's scale (allowed: {check.Tolerance:G3})"));
        }
    }

    /// <summary>The document; differences that were not measured are null.</summary>
    public static JsonObject ToJson(PrecisionCheck check) => new()
    {
        ["bytesFloat32"] = check.Result.BytesBefore,
        ["bytes"] = check.Result.BytesAfter,
        ["largestAbsoluteDifference"] = check.Comparison?.LargestAbsolute,
        ["largestRelativeDifference"] = check.Comparison?.LargestRelative,
        ["weights"] = new JsonArray([.. check.Result.Outcomes.Select(outcome => new JsonObject
        {
            ["name"] = outcome.Name,
            ["reduced"] = outcome.IsReduced,
            ["detail"] = outcome.Detail,
        })]),
    };

    /// <summary>The same for a trained network, with the rows that it was compared on and the figures on the test rows.</summary>
    public static JsonObject ToJson(ReducedNetwork reduced, IReadOnlyDictionary<string, double> float32Test, IReadOnlyDictionary<string, double> test)
    {
        var document = ToJson(reduced.Check);
        document["rows"] = reduced.Rows;
        document["testFloat32"] = MetricsDocument.Figures(float32Test);
        document["testLoss"] = MetricsDocument.Figures(NetworkReducer.Losses(float32Test, test));
        return document;
    }
}

using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>What <c>fold</c> did: a table for people, and the same as JSON for scripts.</summary>
internal static class FoldReport
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // More than the largest networks have; a table of ten thousand rows would take longer than the fold.
    private const int MostRows = 300;

    /// <summary>Prints the table to stdout.</summary>
    /// <param name="result">What was done.</param>
    /// <param name="speed">What scoring takes with fewer bits; empty where it was not measured.</param>
    public static void Print(FoldFileResult result, IReadOnlyList<PrecisionSpeed> speed)
    {
        var fold = result.Fold;
        PrintTable("batch normalization", fold.BatchNorms, outcome => outcome.Name);
        PrintTable("constant arithmetic", fold.Chains, outcome => $"{outcome.Name} ({outcome.Operators})");
        var chains = fold.Chains.Count == 0
            ? string.Empty
            : $"; written as constant arithmetic: {fold.Chains.Count(chain => chain.Status != FoldStatus.Declined)} of {fold.Chains.Count}";
        Console.WriteLine($"batch normalizations gone or simpler: {fold.Removed} of {fold.BatchNorms.Count}{chains}");
        Console.WriteLine($"nodes:      {Number(fold.NodesBefore)} → {Number(fold.NodesAfter)}");
        Console.WriteLine($"parameters: {Number(fold.ParametersBefore)} → {Number(fold.ParametersAfter)}");
        Console.WriteLine($"bytes:      {Number(fold.BytesBefore)} → {Number(fold.BytesAfter)}");
        foreach (var line in Proof(result)) Console.WriteLine(line);
        if (result.Reduction is { } reduction) PrecisionReport.Print(reduction, speed);
    }

    private static IEnumerable<string> Proof(FoldFileResult result)
    {
        var judged = result.Fold.BatchNorms.Concat(result.Fold.Chains)
            .Where(outcome => outcome.Status != FoldStatus.Declined && outcome.RelativeError is not null).ToList();
        if (judged.MaxBy(outcome => outcome.RelativeError) is { } worst)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"by parts:   {judged.Count} proved, the largest error is {judged.Max(outcome => outcome.AbsoluteError):G3} absolute, "
                + $"{worst.RelativeError:G3} of a channel's scale (before: {worst.RelativeErrorBefore:G3})");
        }

        if (result.Comparison is { } comparison)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"as a whole: largest difference in {comparison.Runs} runs: {comparison.LargestAbsolute:G3} absolute, "
                + $"{comparison.LargestRelative:G3} of the output's scale; as served {result.Served?.LargestRelative:G3}");
        }

        if (result.WhyNotCompared is { } reason) yield return $"as a whole: not compared: {reason}";
    }

    /// <summary>Writes the JSON file; differences that were not measured are null.</summary>
    public static void Write(FoldFileResult result, IReadOnlyList<PrecisionSpeed> speed, string path)
    {
        var fold = result.Fold;
        var document = new JsonObject
        {
            ["batchNorms"] = new JsonArray([.. fold.BatchNorms.Select(ToJson)]),
            ["chains"] = new JsonArray([.. fold.Chains.Select(outcome =>
            {
                var chain = ToJson(outcome);
                chain["operators"] = outcome.Operators;
                return chain;
            })]),
            ["errors"] = new JsonArray([
                .. from outcome in fold.BatchNorms.Concat(fold.Chains)
                   where outcome.RelativeError is not null
                   select new JsonObject
                   {
                       ["name"] = outcome.Name,
                       ["absolute"] = Finite(outcome.AbsoluteError),
                       ["relative"] = Finite(outcome.RelativeError),
                       ["relativeBefore"] = Finite(outcome.RelativeErrorBefore),
                   }]),
            ["nodesBefore"] = fold.NodesBefore,
            ["nodesAfter"] = fold.NodesAfter,
            ["parametersBefore"] = fold.ParametersBefore,
            ["parametersAfter"] = fold.ParametersAfter,
            ["bytesBefore"] = fold.BytesBefore,
            ["bytesAfter"] = fold.BytesAfter,
            ["maxAbsoluteDifference"] = Finite(result.Comparison?.LargestAbsolute),
            ["maxRelativeDifference"] = Finite(result.Comparison?.LargestRelative),
            ["maxRelativeDifferenceServed"] = Finite(result.Served?.LargestRelative),
            ["servedCulprit"] = result.ServedCulprit,
            ["whyNotCompared"] = result.WhyNotCompared,
            ["precision"] = PrecisionNames.NameOf(result.Reduction?.Result.Precision ?? ModelPrecision.Float32),
            ["reduction"] = result.Reduction is { } reduction ? PrecisionReport.ToJson(reduction, speed) : null,
            ["warnings"] = new JsonArray([.. fold.Warnings.Select(warning => JsonValue.Create(warning))]),
        };
        Output.WriteText(path, text => text.Write(document.ToJsonString(Indented) + "\n"));
    }

    private static void PrintTable(string kind, IReadOnlyList<BatchNormOutcome> outcomes, Func<BatchNormOutcome, string> name)
    {
        if (outcomes.Count == 0) return;
        var table = new Table().AddColumns(kind, "status", "into", "reason").Border(TableBorder.Rounded);
        var (isJudged, isHelpful) =
            (outcomes.Any(outcome => outcome.RelativeError is not null), outcomes.Any(outcome => outcome.WouldFoldIf.Length > 0));
        if (isJudged) table.AddColumn("error");
        if (isHelpful) table.AddColumn("would fold if");
        foreach (var outcome in outcomes.Take(MostRows))
        {
            string[] cells = [name(outcome), Status(outcome.Status), outcome.Into, outcome.Reason];
            if (isJudged) cells = [.. cells, outcome.RelativeError?.ToString("G2", CultureInfo.InvariantCulture) ?? string.Empty];
            if (isHelpful) cells = [.. cells, outcome.WouldFoldIf];
            table.AddRow([.. cells.Select(TerminalText.Cell)]);
        }

        Output.Print(table);
        if (outcomes.Count > MostRows)
            Console.WriteLine($"… and {Number(outcomes.Count - MostRows)} more, which --report FILE.json has, too");
    }

    private static JsonObject ToJson(BatchNormOutcome outcome)
    {
        var result = new JsonObject
        {
            ["name"] = outcome.Name,
            ["status"] = Status(outcome.Status),
            ["into"] = outcome.Into,
            ["reason"] = outcome.Reason,
        };
        if (outcome.WouldFoldIf.Length > 0) result["wouldFoldIf"] = outcome.WouldFoldIf;
        return result;
    }

    /// <summary>A status as users read it.</summary>
    public static string Status(FoldStatus status) => status switch
    {
        FoldStatus.Folded => "folded",
        FoldStatus.Composed => "composed",
        FoldStatus.Rewritten => "rewritten",
        FoldStatus.Declined => "declined",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "Unknown status."),
    };

    // JSON knows no infinity.
    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

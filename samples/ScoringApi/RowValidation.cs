using MlNetBatchNorm.Hosting;

namespace ScoringApi;

/// <summary>What can be wrong with the rows of a request.</summary>
internal static class RowValidation
{
    // Enough to see what is wrong; a batch that is wrong throughout would otherwise be answered with a book.
    private const int MostErrors = 10;

    /// <summary>What is wrong with a row, by the place in the request; empty if nothing is.</summary>
    public static Dictionary<string, string[]> Check(float[]? row, LoadedModelInfo model) => Collect([Check(row, "features", model)]);

    /// <summary>What is wrong with the rows, by the place in the request; empty if nothing is.</summary>
    public static Dictionary<string, string[]> Check(float[]?[]? rows, LoadedModelInfo model) => rows is null or []
        ? Collect([("rows", "at least one row is needed: { \"rows\": [[...], ...] }")])
        : Collect(rows.Select((row, index) => Check(row, $"rows[{index}]", model)));

    private static Dictionary<string, string[]> Collect(IEnumerable<(string Place, string? Error)> findings) =>
        findings.Where(finding => finding.Error is not null).Take(MostErrors)
            .ToDictionary(finding => finding.Place, finding => new[] { finding.Error! });

    private static (string Place, string? Error) Check(float[]? row, string place, LoadedModelInfo model)
    {
        if (row is null || row.Length != model.RowLength)
        {
            var given = row?.Length ?? 0;
            return (place, $"{model.RowLength} numbers are needed, one for each feature that GET /model lists, but {given} were given");
        }

        var wrong = Array.FindIndex(row, value => !float.IsFinite(value));
        if (wrong < 0) return (place, null);
        var name = wrong < model.FeatureNames.Count ? $" ({model.FeatureNames[wrong]})" : string.Empty;
        return ($"{place}[{wrong}]", $"the value{name} is not a finite number");
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using CsvHelper;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// What was seen inside a network while it was trained, as <c>diagnostics.csv</c> and in <c>metrics.json</c>: for each epoch that was
/// looked at a line for each layer, with the same names in both.
/// </summary>
internal static class DiagnosticsTable
{
    private static readonly (string Name, Func<LayerDiagnostics, double?> Of)[] Numbers =
    [
        ("units", look => look.Units),
        ("values", look => look.Values),
        ("mean", look => look.Mean),
        ("standardDeviation", look => look.StandardDeviation),
        .. Each(LayerDiagnostics.PercentileLevels.Select(level => $"percentile{level}"), look => look.Percentiles),
        ("zeros", look => look.Zeros),
        ("saturated", look => look.Saturated),
        ("deadUnits", look => look.DeadUnits),
        ("gradientNorm", look => look.GradientNorm),
        .. Each(
            LayerDiagnostics.GradientLevels.Select(level => $"gradientFrom{level.ToString("0E+0", CultureInfo.InvariantCulture)}")
                .Prepend("gradientZeros"),
            look => look.GradientHistogram),
        ("weightNorm", look => look.WeightNorm),
        ("weightGradientNorm", look => look.WeightGradientNorm),
        ("updateRatio", look => look.UpdateRatio),
        .. Each(["gammaLeast", "gammaMean", "gammaLargest"], look => look.Gamma),
        .. Each(["betaLeast", "betaMean", "betaLargest"], look => look.Beta),
        ("statisticsDistance", look => look.StatisticsDistance),
    ];

    /// <summary>Writes the file; null where nobody looked.</summary>
    /// <param name="network">The network.</param>
    /// <param name="folder">The folder, which is there.</param>
    /// <returns>The path of the file.</returns>
    public static string? Write(TrainedNetwork network, string folder)
    {
        if (network.Diagnostics.Count == 0) return null;
        var path = Path.Combine(folder, FilesSection.Diagnostics);
        AtomicFile.Write(path, stream =>
        {
            using var csv = CsvWriter.Create(stream, new CsvWriterOptions(), leaveOpen: true);
            foreach (var name in Numbers.Select(number => number.Name).Prepend("kind").Prepend("layer").Prepend("epoch"))
                csv.WriteField(name);
            csv.EndRecord();
            foreach (var look in network.Diagnostics)
            {
                csv.WriteField(look.Epoch);
                csv.WriteField(look.Layer);
                csv.WriteField(look.Kind);
                foreach (var (_, of) in Numbers)
                    csv.WriteField(Finite(of(look)) is { } value ? value.ToString("G9", CultureInfo.InvariantCulture) : string.Empty);
                csv.EndRecord();
            }
        });
        return path;
    }

    /// <summary>The same for <c>metrics.json</c>; what a layer has not is left out.</summary>
    public static JsonArray ToJson(IReadOnlyList<LayerDiagnostics> seen) => new([.. seen.Select(look =>
    {
        var entry = new JsonObject { ["epoch"] = look.Epoch, ["layer"] = look.Layer, ["kind"] = look.Kind };
        foreach (var (name, of) in Numbers)
            if (Finite(of(look)) is { } value) entry[name] = value;
        return entry;
    })]);

    private static IEnumerable<(string Name, Func<LayerDiagnostics, double?> Of)> Each(
        IEnumerable<string> names, Func<LayerDiagnostics, IReadOnlyList<double>> of) =>
        names.Select((name, i) => (name, (Func<LayerDiagnostics, double?>)(look => i < of(look).Count ? of(look)[i] : null)));

    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;
}

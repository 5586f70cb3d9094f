using System.Globalization;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The last lines of a training, on stdout.</summary>
internal static class ResultLines
{
    public static void Show(
        TrainedNetwork network, ExportedNetwork export, IReadOnlyDictionary<string, double> testMetrics, TimeSpan singleRow, IReadOnlyList<string> files)
    {
        var best = network.Best;
        var verification = export.Verification;
        Line("best epoch", $"{best.Epoch} of {network.History.Count}, on {network.Device}");
        foreach (var (name, value) in testMetrics) Line($"test {Figure.Name(name)}", Figure.Value(name, value));
        Line("batch norms", $"{BatchNormCount.Of(export.Unfolded)} before folding, {BatchNormCount.Of(export.Folded)} after");
        Line("folded - unfolded", string.Create(
            CultureInfo.InvariantCulture,
            $"at most {verification.LargestAbsolute:0.0e+0}, {verification.LargestRelative:0.0e+0} of the output's scale"));
        Line("single prediction", string.Create(CultureInfo.InvariantCulture, $"{singleRow.TotalMicroseconds:0.0} µs"));
        Line("written", string.Join(", ", files));
    }

    private static void Line(string name, string value) => Console.WriteLine($"{name,-20} {value}");
}

using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>reproduce dropout</c>: the variance shift of Li et al. (2018).</summary>
public class ReproduceDropoutTests
{
    [Fact]
    public void Dropout_Quick_VarianceShiftsByTheFormulaWhereABatchNormStandsBehind()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(
            folder.Path, "reproduce", "dropout", "--quick", "--data", SampleTables.PathOf("letters.csv"), "--out", "out", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["out", "out/accuracy.csv", "out/metrics.json", "out/report.html", "out/variance.csv"], folder.Files());
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var trials = metrics.RootElement.GetProperty("trials").EnumerateArray().ToArray();
        Assert.Equal(12, trials.Length);
        foreach (var trial in trials)
        {
            var (rate, place) = (trial.GetProperty("rate").GetDouble(), trial.GetProperty("place").GetString());
            var isInFront = rate > 0 && place != "BehindTheLast";
            var (formula, measured) = (trial.GetProperty("ratioByFormula").GetDouble(), trial.GetProperty("ratioMeasured").GetDouble());

            // Var / (Var + r/(1−r)·Σ w²·E(x²)), with the sum at least Var where the values themselves are dropped: at most 1−r.
            Assert.Equal(formula, measured, 0.01);
            if (place == "BeforeNormalization") Assert.InRange(measured, 0, 1 - rate + 0.01);
            Assert.InRange(measured, 0, isInFront ? 0.99 : 1.01);
            Assert.Equal(isInFront && rate > 0.051 ? 2 : 0, trial.GetProperty("warnings").GetInt32());
            if (!isInFront) Assert.InRange(trial.GetProperty("secondLayerRatio").GetDouble(), 0.9, 1.1);
            else if (rate > 0.4) Assert.InRange(trial.GetProperty("secondLayerRatio").GetDouble(), 0, 0.8);
        }

        Assert.Contains("Li et al. 2018", File.ReadAllText(folder.File("out/report.html")), StringComparison.Ordinal);
    }
}

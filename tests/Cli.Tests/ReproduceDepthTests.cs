using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>reproduce depth</c>, with networks and epochs few enough for a test.</summary>
public class ReproduceDepthTests
{
    [Fact]
    public void Depth_SmallNetworks_PrintsAndWritesEveryTrial()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(
            folder.Path, "reproduce", "depth", "--data", SampleTables.PathOf("letters.csv"), "--out", "out", "--depths", "2,4", "--epochs",
            "2", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(["out", "out/accuracy-0.01.csv", "out/accuracy-0.1.csv", "out/metrics.json", "out/report.html"], folder.Files());
        Assert.Contains("16,000 letters to learn from, 4,000 to test on", result.Error, StringComparison.Ordinal);
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var trials = metrics.RootElement.GetProperty("trials").EnumerateArray().ToArray();
        Assert.Equal(8, trials.Length);
        Assert.Equal([2, 2, 4, 4, 2, 2, 4, 4], trials.Select(trial => trial.GetProperty("hiddenLayers").GetInt32()));

        // Chance is 1/26; the shallow networks learn at the low rate with and without.
        Assert.All(trials[..4], trial => Assert.InRange(trial.GetProperty("testAccuracy").GetDouble(), 0.5, 1));
        Assert.Equal(
            4,
            result.Output.Split('\n').Count(
                line => line.StartsWith("| ", StringComparison.Ordinal) && char.IsDigit(line.TrimStart('|', ' ')[0])));
        var page = XDocument.Parse(File.ReadAllText(folder.File("out/report.html")));
        Assert.Equal(
            ["Test accuracy at learning rate 0.01", "Test accuracy at learning rate 0.1"],
            page.Descendants("svg").Select(chart => chart.Element("title")!.Value));

        // The figure's numbers are those of metrics.json.
        var numbers = File.ReadAllLines(folder.File("out/accuracy-0.01.csv"));
        Assert.Equal("series,hidden layers (count),test accuracy (share)", numbers[0]);
        Assert.Equal(
            trials[..4].Where(trial => trial.GetProperty("batchNorm").GetBoolean())
                .Select(trial => trial.GetProperty("testAccuracy").GetDouble()),
            numbers.Where(line => line.StartsWith("with batch", StringComparison.Ordinal))
                .Select(line => double.Parse(line.Split(',')[2], CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData("0", "--epochs is 0, but must be from 1 to 1000.")]
    [InlineData("ten", "'ten' is no whole number, which --epochs needs.")]
    public void Depth_EpochsOutOfRange_IsWrongUsage(string epochs, string message)
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(folder.Path, "reproduce", "depth", "--out", "out", "--epochs", epochs);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }

    [Fact]
    public void Depth_NoData_FailsInOneLineAndWritesNothing()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains(
            "there is no such file",
            Tool.Run(folder.Path, "reproduce", "depth", "--out", "out").RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }
}

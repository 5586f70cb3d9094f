using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>reproduce batchsize</c>: batch normalization with few rows, beside what does not look at other rows.</summary>
public class ReproduceBatchSizeTests
{
    [Fact]
    public void BatchSize_Quick_SmallMiniBatchesHurtBatchNormAloneAndAreWarnedOf()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(
            folder.Path, "reproduce", "batchsize", "--quick", "--data", SampleTables.PathOf("letters.csv"), "--out", "out", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["out", "out/accuracy.csv", "out/distance.csv", "out/metrics.json", "out/report.html"], folder.Files());
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var trials = metrics.RootElement.GetProperty("trials").EnumerateArray().ToArray();

        // Ghost batches of 16 rows are there where there are more.
        Assert.Equal(10, trials.Length);
        Assert.True(Accuracy(2, "batch") < Accuracy(64, "batch") - 0.05, result.Output);
        Assert.True(Accuracy(2, "layer") > Accuracy(2, "batch") + 0.05, result.Output);
        Assert.True(Accuracy(2, "group") > Accuracy(2, "batch") + 0.05, result.Output);
        Assert.True(Of(2, "batch").GetProperty("distance").GetDouble() > 3 * Of(64, "batch").GetProperty("distance").GetDouble());
        Assert.Equal("SmallBatch", Of(2, "batch").GetProperty("warnings")[0].GetString());
        Assert.Equal(0, Of(8, "batch").GetProperty("warnings").GetArrayLength());
        Assert.Equal(0, Of(2, "layer").GetProperty("warnings").GetArrayLength());

        double Accuracy(int rows, string normalization) => Of(rows, normalization).GetProperty("accuracy").GetDouble();

        JsonElement Of(int rows, string normalization) => trials.Single(trial =>
            trial.GetProperty("rows").GetInt32() == rows && trial.GetProperty("normalization").GetString() == normalization);
    }

    [Theory]
    [InlineData("1,8", "at least 2 rows")]
    [InlineData("0", "--sizes")]
    [InlineData("99999", "16,000")]
    public void BatchSize_SizesThatCannotBe_SaysWhyInOneLine(string sizes, string expected)
    {
        using var folder = new TemporaryFolder();

        var line = Tool.Run(
            folder.Path, "reproduce", "batchsize", "--sizes", sizes, "--data", SampleTables.PathOf("letters.csv"), "--out", "out")
            .Error;

        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }
}

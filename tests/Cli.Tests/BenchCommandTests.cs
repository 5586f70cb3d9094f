using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The measurements run and are complete; what they measure is not for a test to judge.</summary>
public sealed class BenchCommandTests
{
    [Fact]
    public void BenchScore_Json_HasEveryNetworkAndRowCountWithoutAllocations()
    {
        using var folder = new TemporaryFolder();
        var json = folder.File("score.json");

        var result = Tool.Run(folder.Path, "bench", "score", "--rows", "1", "20", "--seconds", "0.001", "--peer", folder.File("none.py"), "--json", json);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("no times of PyTorch: there is no script", result.Error, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        var rows = document.RootElement.GetProperty("score").EnumerateArray().ToList();
        Assert.Equal(
            from network in new[] { "32-64-32-1", "784-512-512-512-10", "residual CNN" } from count in new[] { 1, 20 } select (network, count),
            rows.Select(row => (row.GetProperty("network").GetString()!, row.GetProperty("rows").GetInt32())));
        Assert.All(rows, row =>
        {
            Assert.Equal(0, row.GetProperty("allocatedBytesPerCall").GetDouble());
            Assert.Equal(JsonValueKind.Null, row.GetProperty("peerMicroseconds").ValueKind);
            foreach (var time in new[] { "oursMicroseconds", "rawMicroseconds", "naiveMicroseconds", "unfoldedMicroseconds" })
                Assert.True(row.GetProperty(time).GetDouble() > 0, time);
        });
    }

    [Fact]
    public void BenchSoak_EveryAnswerIsRight()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(folder.Path, "bench", "soak", "--minutes", "0.02", "--threads", "3");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains(" 0 wrong answers; p50 ", result.Output, StringComparison.Ordinal);
    }
}

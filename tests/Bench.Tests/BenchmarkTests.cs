using System.Diagnostics;
using System.Text.Json;

namespace MlNetBatchNorm.Bench.Tests;

/// <summary>The measurements run and are complete; what they measure is not for a test to judge.</summary>
public sealed class BenchmarkTests
{
    [Fact]
    public void Score_Json_HasEveryNetworkAndRowCountWithoutAllocations()
    {
        using var folder = new TemporaryFolder();
        var json = folder.File("score.json");

        var result = Run("score", "--rows", "1", "20", "--seconds", "0.001", "--peers", "none", "--json", json);

        Assert.Equal(0, result.ExitCode);
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        var rows = document.RootElement.GetProperty("score").EnumerateArray().ToList();
        string[] networks = ["32-64-32-1", "784-512-512-512-10", "residual CNN", "8 × (8-64-64-1)"];
        Assert.Equal(
            networks.SelectMany(network => new[] { (network, 1), (network, 20) }),
            rows.Select(row => (row.GetProperty("network").GetString()!, row.GetProperty("rows").GetInt32())));
        Assert.All(rows, row =>
        {
            Assert.Equal(0, row.GetProperty("allocatedBytesPerCall").GetDouble());
            Assert.Equal(JsonValueKind.Null, row.GetProperty("torchSharpMicroseconds").ValueKind);
            foreach (var time in new[] { "oursMicroseconds", "rawMicroseconds", "naiveMicroseconds", "unfoldedMicroseconds" })
                Assert.True(row.GetProperty(time).GetDouble() > 0, time);
        });
    }

    [Fact]
    public void Soak_ThreeThreads_EveryAnswerIsRight()
    {
        var result = Run("soak", "--minutes", "0.02", "--threads", "3");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains(" 0 wrong answers; p50 ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Beyond_Quick_LearnsFromAFileOfRows()
    {
        var result = Run("beyond", "--quick");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("| 20,000 of 50 ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Fold_Quick_FoldsEachGraph()
    {
        var result = Run("fold", "--quick");

        Assert.Equal(0, result.ExitCode);
        var folded = result.Output.Split('\n').Where(line => line.StartsWith("| 1", StringComparison.Ordinal))
            .Select(line => line.Split('|')[2].Trim());
        Assert.Equal(["10", "1", "10"], folded);
    }

    [Fact]
    public void Accuracy_Quick_HasFourTrainersForEachTable()
    {
        var result = Run("accuracy", "--quick");

        Assert.Equal(0, result.ExitCode);
        foreach (var start in new[] { "| churn.csv ", "| letters.csv ", "| ames.csv " })
            Assert.Equal(4, result.Output.Split('\n').Count(line => line.StartsWith(start, StringComparison.Ordinal)));
        Assert.DoesNotContain("NaN", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void All_OfOneBenchmark_WritesMachineVersionsAndTable()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("RESULTS.md");

        var result = Run("all", "--quick", "--only", "soak", "--out", path);

        Assert.Equal(0, result.ExitCode);
        var text = File.ReadAllText(path);
        Assert.StartsWith("# Results\n", text, StringComparison.Ordinal);
        string[] parts = ["quick run", " logical ", "ONNX Runtime 1.", "Microsoft.ML.LightGbm 5.", "\n## Scoring without end\n", "\n| --"];
        foreach (var part in parts) Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.DoesNotContain("## Accuracy", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Service_Quick_MeasuresRestAndGrpc()
    {
        var result = Run("service", "--quick");

        Assert.Equal(0, result.ExitCode);
        foreach (var start in new[] { "| 32-64-32-1 | REST ", "| 32-64-32-1 | gRPC " })
            Assert.Single(result.Output.Split('\n'), line => line.StartsWith(start, StringComparison.Ordinal));
    }

    // The built program, as a process of its own.
    private static ToolResult Run(params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "MlNetBatchNorm.Bench.dll");
        var start = new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(8)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{string.Join(' ', arguments)} did not end within 8 minutes.");
        }

        return new ToolResult(process.ExitCode, output.Result, error.Result);
    }
}

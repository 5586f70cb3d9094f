using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The tool under mpirun.</summary>
public sealed class RanksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [MpiFact]
    public void Train_ByTwo_WritesOnceWhatBothLearned()
    {
        _folder.Write("rows.csv", ChurnTables.First(1001));

        var result = Run(
            2, "train", "rows.csv", "--label", "churn", "--out", "out", "--epochs", "3", "--threads", "1", "--sync-statistics");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(3, result.Error.Split('\n').Count(line => line.StartsWith("epoch ", StringComparison.Ordinal)));
        var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json"))).RootElement;
        Assert.Equal(1001, metrics.GetProperty("trainingRows").GetInt32() + metrics.GetProperty("testRows").GetInt32());
        Assert.DoesNotContain("out/training.checkpoint", _folder.Files());

        var scored = Run(3, "score", "out/model.onnx", "rows.csv", "--out", "parts/", "--part-rows", "300");
        Assert.True(scored.ExitCode == 0, scored.Error);
        Assert.Contains("1,001 rows scored, in 4 parts in parts/", scored.Error, StringComparison.Ordinal);
        RequireWhole();

        // As after a crash: what is whole is not scored again.
        var written = File.GetLastWriteTimeUtc(_folder.File("parts/rows.part-00001-of-00004.csv"));
        File.Delete(_folder.File("parts/rows.part-00003-of-00004.csv"));
        var again = Tool.Run(_folder.Path, "score", "out/model.onnx", "rows.csv", "--out", "parts/", "--part-rows", "300");
        Assert.Contains("in 4 parts in parts/, 3 of which were there", again.Error, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(_folder.File("parts/rows.part-00001-of-00004.csv")));
        RequireWhole();

        _folder.Write("rows.csv", ChurnTables.First(1000));
        var other = Tool.Run(_folder.Path, "score", "out/model.onnx", "rows.csv", "--out", "parts/", "--part-rows", "300");
        Assert.Contains("holds parts of another model, of other rows", other.RequireOneLineOfError(), StringComparison.Ordinal);
    }

    [MpiFact]
    public void Train_WhatFailsOnAllRanks_IsOneLine()
    {
        _folder.Write("rows.csv", ChurnTables.First(50));
        var result = Run(2, "train", "rows.csv", "--label", "nothing", "--out", "out");
        Assert.NotEqual(0, result.ExitCode);
        var line = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("mlnetbn:", StringComparison.Ordinal));
        Assert.StartsWith("mlnetbn: rank 0: rows.csv: there is no label column", line, StringComparison.Ordinal);
    }

    [MpiFact]
    public void Train_GroupsOverRanks_SaysWhatToDo()
    {
        _folder.Write("rows.csv", ChurnTables.First(50));
        var result = Run(2, "train", "rows.csv", "--label", "churn", "--group", "contract", "--out", "out");
        Assert.Contains("give the test rows with --test", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_QueryIntoParts_SaysWhatToDo()
    {
        var result = Tool.Run(_folder.Path, "score", "model.onnx", "--sql", "SELECT 1", "--provider", "none.dll", "--out", "parts/");
        Assert.Contains("with --sql give --out a file", result.RequireOneLineOfError(), StringComparison.Ordinal);
    }

    // The same predictions as by one process; a row that ends a part may round otherwise in its last digit.
    private void RequireWhole()
    {
        var whole = Tool.Run(_folder.Path, "score", "out/model.onnx", "rows.csv", "--out", "whole.csv");
        Assert.True(whole.ExitCode == 0, whole.Error);
        var expected = File.ReadAllLines(_folder.File("whole.csv"));
        string[] actual =
        [
            expected[0],
            .. Directory.GetFiles(_folder.File("parts"), "*.csv").Order(StringComparer.Ordinal)
                .SelectMany(part => File.ReadLines(part).Skip(1)),
        ];
        Assert.Equal(expected.Length, actual.Length);
        for (var line = 1; line < expected.Length; line++)
        {
            var (left, right) = (expected[line].Split(','), actual[line].Split(','));
            Assert.Equal(left[0], right[0]);
            Assert.Equal(double.Parse(left[1], CultureInfo.InvariantCulture), double.Parse(right[1], CultureInfo.InvariantCulture), 1e-6);
        }
    }

    private ToolResult Run(int size, params string[] arguments)
    {
        var start = new ProcessStartInfo("mpirun.openmpi")
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            Environment =
            {
                ["OMPI_ALLOW_RUN_AS_ROOT"] = "1", ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1", ["TERM"] = "dumb",
                ["OMPI_MCA_rmaps_base_oversubscribe"] = "1", ["OMPI_MCA_mpi_yield_when_idle"] = "1",
            },
        };
        foreach (var argument in (string[])["-n", $"{size}", "dotnet", Tool.Path, .. arguments]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"mlnetbn {string.Join(' ', arguments)} on {size} ranks did not end within 2 minutes.");
        }

        return new ToolResult(process.ExitCode, output.Result, error.Result);
    }
}

/// <summary>A test of processes that Open MPI starts; skipped where it is not installed.</summary>
internal sealed class MpiFactAttribute : FactAttribute
{
    /// <inheritdoc/>
    public override string? Skip => File.Exists("/usr/bin/mpirun.openmpi") ? null : "needs Open MPI: apt install openmpi-bin";
}

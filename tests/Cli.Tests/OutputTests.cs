using System.Diagnostics;
using System.Text.Json;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Where results go: links, pipes, stdout, places that cannot be written, two runs at once.</summary>
public sealed class OutputTests(OutputTests.Churn sample) : IClassFixture<OutputTests.Churn>
{
    private TemporaryFolder Folder => sample.Folder;

    [UnixTheory]
    [InlineData("link.csv")]
    public void Score_OutIsALink_KeepsItAndReplacesItsTarget(string link)
    {
        Folder.Write("target.csv", "old\n");
        File.CreateSymbolicLink(Folder.File(link), "target.csv");
        Succeeds("score", "out/model.onnx", "test.csv", "--out", link);
        Assert.Equal("target.csv", new FileInfo(Folder.File(link)).LinkTarget);
        Succeeds("score", "out/model.onnx", "test.csv", "--out", "plain.csv");
        Assert.Equal(File.ReadAllText(Folder.File("plain.csv")), File.ReadAllText(Folder.File("target.csv")));
    }

    [UnixTheory]
    [InlineData("model.onnx")]
    public void Fold_OntoItselfThroughALink_KeepsTheLink(string target)
    {
        File.Copy(Folder.File("out/model.batchnorm.onnx"), Folder.File(target));
        File.CreateSymbolicLink(Folder.File("link.onnx"), target);
        Succeeds("fold", "link.onnx", "link.onnx");
        Assert.Equal(target, new FileInfo(Folder.File("link.onnx")).LinkTarget);
        Assert.Equal(0, OnnxModel.Load(Folder.File(target)).BatchNormCount);
    }

    [UnixTheory]
    [InlineData("-")]
    [InlineData("/dev/stdout")]
    [InlineData("/dev/fd/1")]
    [InlineData("/proc/self/fd/1")]
    public void Score_OutIsStdout_WritesNothingElseThere(string output)
    {
        Succeeds("score", "out/model.onnx", "test.csv", "--out", "plain.csv");
        var result = Succeeds("score", "out/model.onnx", "test.csv", "--out", output);
        Assert.Equal(File.ReadAllText(Folder.File("plain.csv")), result.Output);
        Assert.Contains("rows scored", result.Error, StringComparison.Ordinal);

        // Behind what is there already, as any program's output.
        Shell("echo before > all; { dotnet \"$0\" score out/model.onnx test.csv --out \"$1\"; echo after; } >> all 2>/dev/null", output);
        Assert.Equal($"before\n{result.Output}after\n", File.ReadAllText(Folder.File("all")));
    }

    [Fact]
    public void Fold_ModelOrReportToStdout_IsAloneThere()
    {
        var report = Succeeds("fold", "out/model.batchnorm.onnx", "folded.onnx", "--report", "-");
        Assert.True(JsonDocument.Parse(report.Output).RootElement.GetProperty("nodesBefore").GetInt32() > 0);
        Assert.Contains("batch normalizations gone", report.Error, StringComparison.Ordinal);
        if (OperatingSystem.IsWindows()) return;
        Shell("dotnet \"$0\" fold out/model.batchnorm.onnx - > piped.onnx 2>/dev/null");
        Assert.Equal(File.ReadAllBytes(Folder.File("folded.onnx")), File.ReadAllBytes(Folder.File("piped.onnx")));
    }

    [Theory]
    [InlineData("There is no folder", "score", "none.onnx", "none.csv", "--out", "missing/p.csv")]
    [InlineData("'out' is a folder", "score", "none.onnx", "none.csv", "--out", "out")]
    [InlineData("There is no folder", "fold", "none.onnx", "missing/out.onnx")]
    [InlineData("There is no folder", "fold", "none.onnx", "folded.onnx", "--report", "missing/r.json")]
    [InlineData("There is no folder", "devices", "--json", "missing/d.json")]
    [InlineData("'test.csv' is a file", "train", "test.csv", "--label", "churn", "--out", "test.csv")]
    [InlineData("is a file", "train", "test.csv", "--label", "churn", "--out", "test.csv/out")]
    [InlineData("is a file", "reproduce", "depth", "--data", "none.csv", "--out", "test.csv/out")]
    public void Command_OutCannotBeWritten_SaysSoBeforeTheWork(string message, params string[] arguments)
    {
        // What it would read first is not even there.
        var before = Folder.Files();
        Assert.Contains(message, Tool.Run(Folder.Path, arguments).RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(before, Folder.Files());
    }

    [UnixTheory]
    [InlineData("/proc/nowhere")]
    [InlineData("/proc/nowhere/deeper")]
    public void Train_FolderCannotBeMade_SaysSoBeforeTraining(string output)
    {
        if (!OperatingSystem.IsLinux()) return;
        var result = Tool.Run(Folder.Path, "train", "test.csv", "--label", "churn", "--out", output);
        Assert.Contains("cannot be made", result.RequireOneLineOfError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_AFolderIsInAFilesPlace_SaysSoBeforeTraining()
    {
        Directory.CreateDirectory(Folder.File("taken/model.onnx"));
        var result = Tool.Run(Folder.Path, "train", "test.csv", "--label", "churn", "--resume", "--out", "taken");
        Assert.Contains("model.onnx' is a folder", result.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(["model.onnx"], Directory.GetFileSystemEntries(Folder.File("taken")).Select(Path.GetFileName));
    }

    [Fact]
    public void Score_TwoRunsToOneFile_BothSucceedAndItIsWhole()
    {
        Succeeds("score", "out/model.onnx", "test.csv", "--out", "plain.csv");
        string[] arguments = ["score", "out/model.onnx", "test.csv", "--out", "both.csv"];
        Assert.All(AtOnce(arguments, arguments), result => Assert.True(result.ExitCode == 0, result.Error));
        Assert.Equal(File.ReadAllText(Folder.File("plain.csv")), File.ReadAllText(Folder.File("both.csv")));
    }

    [Fact]
    public void Train_TwoRunsToOneFolder_TheFilesAreThoseOfOne()
    {
        string[] Arguments(string label, string output) =>
            ["train", "test.csv", "--label", label, "--preset", "fast", "--epochs", "3", "--whole-pipeline", "--out", output];
        var results = AtOnce(Arguments("churn", "two"), Arguments("paperless_billing", "two"));
        Assert.All(results, result => Assert.True(result.ExitCode == 0, result.Error));
        var label = JsonDocument.Parse(File.ReadAllText(Folder.File("two/metrics.json"))).RootElement.GetProperty("label").GetString()!;
        Succeeds(Arguments(label, "one"));
        foreach (var file in new[] { "model.onnx", "model.batchnorm.onnx", "pipeline.onnx" })
            Assert.Equal(File.ReadAllBytes(Folder.File($"one/{file}")), File.ReadAllBytes(Folder.File($"two/{file}")));
        Succeeds("score", "two/model.zip", "test.csv", "--out", "zip.csv");
        Succeeds("score", "one/model.onnx", "test.csv", "--out", "onnx.csv");
        Assert.Equal(File.ReadAllText(Folder.File("onnx.csv")), File.ReadAllText(Folder.File("zip.csv")));
    }

    [Fact]
    public void Train_TwoRunsWithOneCheckpoint_OneIsRefused()
    {
        string[] arguments =
            ["train", "test.csv", "--label", "churn", "--preset", "fast", "--epochs", "40", "--patience", "0", "--resume", "--out", "kept"];
        var results = AtOnce(arguments, arguments);
        var refused = Assert.Single(results, result => result.ExitCode != 0);
        Assert.Contains("Another run keeps its state in 'kept'", refused.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Single(results, result => result.ExitCode == 0);
    }

    [Theory]
    [InlineData("0x1000000", "train", "large.csv", "--label", "churn", "--epochs", "3", "--out", "small")]
    [InlineData("0x1000000", "score", "out/model.onnx", "large.csv", "--out", "p.csv")]
    [InlineData("0x2000000", "train", "large.csv", "--label", "churn", "--epochs", "3", "--out", "small")]
    public void Command_HardlyAnyMemory_SaysSoAndLeavesNothing(string limit, params string[] arguments)
    {
        var rows = string.Concat(Enumerable.Repeat(string.Join('\n', ChurnTables.Lines.Skip(1)) + "\n", 20));
        Folder.Write("large.csv", ChurnTables.Lines[0] + "\n" + rows);
        var before = Folder.Files();
        var result = Tool.Run(Folder.Path, new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = limit }, arguments);
        Assert.Contains("there is not enough memory", result.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(before, Folder.Files());
    }

    private ToolResult Succeeds(params string[] arguments)
    {
        var result = Tool.Run(Folder.Path, arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }

    private void Shell(string line, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo("sh", ["-c", line, Tool.Path, .. arguments]) { WorkingDirectory = Folder.Path })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private ToolResult[] AtOnce(params string[][] commands) =>
    [
        .. commands.AsParallel().AsOrdered().WithDegreeOfParallelism(commands.Length)
            .Select(arguments => Tool.Run(Folder.Path, arguments)),
    ];

    public sealed class Churn() : TrainedSample("churn.csv", "churn", "binary");
}

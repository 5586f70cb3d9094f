using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>One training with default options on a table of the sample-data folder, for all tests of a class.</summary>
public abstract class TrainedSample : IDisposable
{
    private protected TrainedSample(string table, string label, string task)
    {
        Folder.Write("test.csv", SampleTables.TestPart(table));
        string[] arguments = ["--label", label, "--task", task, "--test-order", "file", "--out", "out"];
        Training = Tool.Run(Folder.Path, ["train", SampleTables.PathOf(table), .. arguments]);
        Assert.True(Training.ExitCode == 0, Training.Error);
        Metrics = JsonDocument.Parse(File.ReadAllText(Folder.File("out/metrics.json"))).RootElement;
    }

    internal TemporaryFolder Folder { get; } = new();

    internal ToolResult Training { get; }

    internal JsonElement Metrics { get; }

    /// <summary>The lines of predictions that a model gives for the test rows, the header first.</summary>
    internal string[] Score(string model)
    {
        var result = Tool.Run(Folder.Path, "score", $"out/{model}", "test.csv", "--out", $"{model}.csv");
        Assert.True(result.ExitCode == 0, result.Error);
        return File.ReadAllLines(Folder.File($"{model}.csv"));
    }

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }
}

namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>Folders of a project are layers: each uses only those below it, so that no two use each other.</summary>
public sealed class LayerTests
{
    // From the lowest to the highest; "." is the folder of the project file.
    private static readonly Dictionary<string, string[]> Layers = new()
    {
        ["Onnx"] =
        [
            "Framework", "Proto", "Files", "Graph", "Metrics", "Tables", "Folding", "Execution/Devices", "Execution/Memory",
            "Execution/Operators", "Execution/Sessions", "Verification", "Precision", "Execution/Sharing", "Execution/Direct",
            "Execution/Scoring", "NamedColumns", ".",
        ],
        ["Trainer"] = ["Text", "Distribution", "Data", "Operators", "Graphs", "Layers", "Learning", "Networks", "Results", "Training"],
        ["Transforms"] =
        [
            "Options", "Interop", "Rows", "Saving", "Training", "Scoring", "AnyModel", "Tasks", "Tuning", "WholePipeline", "Loading", ".",
        ],
        ["Hosting"] = ["."],
        ["Cli"] = ["Tables", "Assessment", "Timing", ".", "Reporting/Html", "Reporting", "Reproduction", "Commands"],
    };

    public static TheoryData<string> Projects => [.. Layers.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Folders_OfAProject_AreAllInTheList(string project)
    {
        var folder = Path.Combine(Checkout.Root, "src", project);
        var found = FolderUses.Sources(folder)
            .Select(path => Path.GetRelativePath(folder, Path.GetDirectoryName(path)!).Replace('\\', '/'));
        Assert.Equal(Layers[project].Order(StringComparer.Ordinal), found.Distinct().Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Folder_UsesOnlyThoseBelowIt(string project)
    {
        var uses = FolderUses.Of(Path.Combine(Checkout.Root, "src", project), Checkout.AssemblyOf(project));
        var wrong = uses.All.Where(pair => Array.IndexOf(Layers[project], pair.Key.To) >= Array.IndexOf(Layers[project], pair.Key.From));
        Assert.Empty(wrong.Select(pair => $"{project}: {pair.Key.From} uses {pair.Key.To} ({string.Join(", ", pair.Value.Take(3))})"));

        // Were nothing found because the reading is broken, the line above would say nothing.
        if (Layers[project].Length > 1) Assert.NotEmpty(uses.All);
    }
}

using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Onnx.Tests.Documentation;

/// <summary>The pages in docs name files and test classes; those have to be there.</summary>
public partial class DocumentationTests
{
    private static readonly string Root = FindRoot();

    public static TheoryData<string> Pages =>
        [.. Directory.GetFiles(Path.Combine(Root, "docs"), "*.md").Select(path => $"docs/{Path.GetFileName(path)}"), "README.md"];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_FilesAndTestClasses_Exist(string page)
    {
        var text = File.ReadAllText(Path.Combine(Root, page));
        var sources = Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Select(Path.GetFileNameWithoutExtension).ToHashSet();
        var missing = new List<string>();
        foreach (var path in Files().Matches(text).Select(match => match.Groups[1].Value))
            if (!Bases(page).Any(folder => File.Exists(Path.Combine(folder, path)) || Directory.Exists(Path.Combine(folder, path))))
                missing.Add(path);
        foreach (var name in TestClasses().Matches(text).Select(match => match.Groups[1].Value))
            if (!sources.Contains(name)) missing.Add(name);
        foreach (var link in Links().Matches(text).Select(match => match.Groups[1].Value))
            if (!File.Exists(Path.Combine(Root, Path.GetDirectoryName(page)!, link))) missing.Add(link);
        Assert.True(missing.Count == 0, $"{page} names what is not there: {string.Join(", ", missing.Distinct())}");
    }

    // A page may shorten the paths of the assembly that it is about.
    private static IEnumerable<string> Bases(string page) =>
        [Root, Path.Combine(Root, Path.GetDirectoryName(page)!), Path.Combine(Root, "src/Trainer"), Path.Combine(Root, "src/Onnx")];

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MlNetBatchNorm.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException($"The repository was not found above {AppContext.BaseDirectory}.");
    }

    // `Layers/DenseLayer.cs`, `src/Onnx/Folding`, `tests/Trainer.Tests/Fixtures`
    [GeneratedRegex(@"`((?:[\w.]+/)+[\w.]+\.(?:cs|py|md|props)|(?:src|tests|docs|bench|scripts|sample-data)/[\w./]*\w)`")]
    private static partial Regex Files();

    [GeneratedRegex(@"`(\w+Tests)`")]
    private static partial Regex TestClasses();

    [GeneratedRegex(@"\]\(([^):#]+)(?:#[^)]*)?\)")]
    private static partial Regex Links();
}

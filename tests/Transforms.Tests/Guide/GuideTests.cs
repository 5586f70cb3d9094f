using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Transforms.Tests.Guide;

/// <summary>Documents may only show code that is run.</summary>
public sealed partial class GuideTests
{
    [Fact]
    public void MlNetGuide_EveryBlockOfCode_IsPartOfATest()
    {
        var root = Root();
        var blocks = CodeBlock().Matches(File.ReadAllText(Path.Combine(root, "docs", "mlnet.md")));
        var tested = Lines(File.ReadAllText(Path.Combine(root, "tests", "Transforms.Tests", "Guide", "MlNetGuide.cs")))
            + Lines(File.ReadAllText(Path.Combine(root, "tests", "Transforms.Tests", "Catalogs", "FeatureImportanceTests.cs")));
        Assert.NotEmpty(blocks);
        Assert.All(blocks, block => Assert.Contains(Lines(block.Groups[1].Value), tested, StringComparison.Ordinal));
    }

    [Fact]
    public void LightGbmGuide_EveryBlockOfCode_IsPartOfATest()
    {
        var root = Root();
        var blocks = CodeBlock().Matches(File.ReadAllText(Path.Combine(root, "docs", "lightgbm.md")));
        var tested = Lines(File.ReadAllText(Path.Combine(root, "tests", "Transforms.Tests", "Guide", "LightGbmGuide.cs")));
        Assert.NotEmpty(blocks);
        Assert.All(blocks, block => Assert.Contains(Lines(block.Groups[1].Value), tested, StringComparison.Ordinal));
    }

    private static string Lines(string text) => string.Concat(text.Split('\n').Select(line => $"{line.Trim()}\n"));

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "docs", "mlnet.md"))) return folder.FullName;
        throw new FileNotFoundException($"docs/mlnet.md was not found above {AppContext.BaseDirectory}.");
    }

    [GeneratedRegex("```csharp\r?\n(.*?)\r?\n```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();
}

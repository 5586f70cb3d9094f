namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>Lines stay short enough to be read beside each other.</summary>
public sealed class LineLengthTests
{
    // As in .editorconfig, whose max_line_length the compiler does not heed.
    private const int Longest = 140;

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    [InlineData("bench")]
    [InlineData("samples")]
    [InlineData("scripts")]
    public void Lines_OfAllSources_AreShort(string folder)
    {
        var sources = FolderUses.Sources(Path.Combine(Checkout.Root, folder)).ToList();
        Assert.NotEmpty(sources);
        Assert.Empty(sources.SelectMany(path => File.ReadLines(path).Index().Where(line => line.Item.Length > Longest)
            .Select(line => $"{Path.GetRelativePath(Checkout.Root, path)}:{line.Index + 1} has {line.Item.Length} characters")));
    }
}

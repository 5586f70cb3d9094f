namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>What .editorconfig says of a text and the compiler, for which formatting is an error (IDE0055), does not heed.</summary>
public sealed class SourceTextTests
{
    private const int Longest = 140;

    public static TheoryData<string> Folders => ["src", "tests", "bench", "samples", "scripts"];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Sources_EndWithOneNewline_AndHaveNoOtherLineEndsNorSpacesBehindLines(string folder)
    {
        var wrong = new List<string>();
        foreach (var path in FolderUses.Sources(Path.Combine(Checkout.Root, folder)))
        {
            var bytes = File.ReadAllBytes(path).AsSpan();
            var name = Path.GetRelativePath(Checkout.Root, path);
            if (bytes.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) wrong.Add($"{name} begins with a byte order mark");
            if (bytes is not [.., not (byte)'\n', (byte)'\n']) wrong.Add($"{name} does not end with one newline");
            if (bytes.Contains((byte)'\r')) wrong.Add($"{name} has carriage returns");
            if (bytes.IndexOf(" \n"u8) >= 0 || bytes.IndexOf("\t\n"u8) >= 0) wrong.Add($"{name} has spaces at the end of a line");
        }

        Assert.Empty(wrong);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Lines_OfAllSources_AreShort(string folder)
    {
        var sources = FolderUses.Sources(Path.Combine(Checkout.Root, folder)).ToList();
        Assert.NotEmpty(sources);
        Assert.Empty(sources.SelectMany(path => File.ReadLines(path).Index().Where(line => line.Item.Length > Longest)
            .Select(line => $"{Path.GetRelativePath(Checkout.Root, path)}:{line.Index + 1} has {line.Item.Length} characters")));
    }
}

using System.IO.Compression;
using System.Xml.Linq;

namespace MlNetBatchNorm.Packages.Tests;

/// <summary>A folder with what the solution packs, from what is built already.</summary>
public sealed class Feed : IDisposable
{
    public const string Collection = "packed once";

    private readonly TemporaryFolder _folder = new();

    public Feed()
    {
        Version = $"{Repository.Built("Version")}-test";
        Pack(Folder);
    }

    /// <summary>The feed.</summary>
    public string Folder => _folder.File("feed");

    /// <summary>A version that is nowhere else, so that no other feed can answer for this one.</summary>
    public string Version { get; }

    /// <summary>Packs the solution.</summary>
    public void Pack(string folder) => Repository.Dotnet(
        Repository.Folder,
        "pack", "MlNetBatchNorm.sln", "--no-build", "-c", Repository.Configuration, $"-p:PackageVersion={Version}",
        "-o", folder, "-v", "quiet", "-nologo");

    /// <summary>Opens a package.</summary>
    public ZipArchive Open(string id, string extension = "nupkg") => ZipFile.OpenRead(Path.Combine(Folder, $"{id}.{Version}.{extension}"));

    /// <summary>What a package says of itself.</summary>
    public XElement Nuspec(string id)
    {
        using var package = Open(id);
        using var content = package.GetEntry($"{id}.nuspec")!.Open();
        var root = XDocument.Load(content).Root!;
        foreach (var element in root.DescendantsAndSelf()) element.Name = element.Name.LocalName;
        return root.Element("metadata")!;
    }

    /// <summary>A text in a package.</summary>
    public string Text(string id, string path)
    {
        using var package = Open(id);
        using var reader = new StreamReader(package.GetEntry(path)!.Open());
        return reader.ReadToEnd();
    }

    public void Dispose() => _folder.Dispose();
}

[CollectionDefinition(Feed.Collection)]
public sealed class SharedFeed : ICollectionFixture<Feed>;

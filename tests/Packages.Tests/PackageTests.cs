using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace MlNetBatchNorm.Packages.Tests;

/// <summary>What is in the packages.</summary>
[Collection(Feed.Collection)]
public sealed class PackageTests(Feed feed)
{
    private static readonly string[] LibraryNames =
        ["MlNetBatchNorm", "MlNetBatchNorm.Hosting", "MlNetBatchNorm.Onnx", "MlNetBatchNorm.Trainer"];

    public static TheoryData<string> Libraries => [.. LibraryNames];

    public static TheoryData<string, string> LibrariesByFramework
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var name in LibraryNames)
            {
                data.Add(name, "net10.0");
                data.Add(name, "net8.0");
            }

            return data;
        }
    }

    public static TheoryData<string> All => [.. LibraryNames, "mlnetbn"];

    [Fact]
    public void Pack_Solution_MakesFivePackagesAndTheSymbolsOfFour()
    {
        var packages = LibraryNames.Append("mlnetbn").Select(name => $"{name}.{feed.Version}.nupkg");
        var symbols = LibraryNames.Select(name => $"{name}.{feed.Version}.snupkg");
        Assert.Equal(packages.Concat(symbols).Order(StringComparer.Ordinal), Files(feed.Folder));
    }

    [Fact]
    public void Pack_Again_GivesTheSameBytes()
    {
        using var again = new TemporaryFolder();
        feed.Pack(again.Path);
        Assert.Equal(Files(feed.Folder), Files(again.Path));
        foreach (var name in Files(feed.Folder))
        {
            var (first, second) = (File.ReadAllBytes(Path.Combine(feed.Folder, name)), File.ReadAllBytes(again.File(name)));
            Assert.True(first.AsSpan().SequenceEqual(second), name);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Package_ForPeople_SaysWhatItIs(string id)
    {
        using var package = feed.Open(id);
        var nuspec = feed.Nuspec(id);
        foreach (var file in new[] { "README.md", "icon.png", "LICENSE", "CHANGELOG.md" }) Assert.NotNull(package.GetEntry(file));
        Assert.Equal("README.md", nuspec.Element("readme")!.Value);
        Assert.Equal("icon.png", nuspec.Element("icon")!.Value);
        Assert.Equal("MIT", nuspec.Element("license")!.Value);
        Assert.Contains("CHANGELOG.md", nuspec.Element("releaseNotes")!.Value, StringComparison.Ordinal);
        Assert.InRange(nuspec.Element("description")!.Value.Length, 60, 300);
        Assert.Contains("batch-normalization", nuspec.Element("tags")!.Value, StringComparison.Ordinal);
        Assert.StartsWith($"# {id}\n", feed.Text(id, "README.md").ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Dependencies_Library_PinOursAndLeaveTheNativePackageToTheApplication(string id)
    {
        var dependencies = feed.Nuspec(id).Descendants("dependency")
            .Select(element => $"{element.Attribute("id")!.Value} {element.Attribute("version")!.Value}").Distinct().ToList();
        string[] ours = id switch
        {
            "MlNetBatchNorm" => [$"MlNetBatchNorm.Trainer [{feed.Version}]"],
            "MlNetBatchNorm.Onnx" => [],
            _ => [$"MlNetBatchNorm.Onnx [{feed.Version}]"],
        };
        Assert.Equal(ours, dependencies.Where(name => name.StartsWith("MlNetBatchNorm", StringComparison.Ordinal)));
        var managed = $"Microsoft.ML.OnnxRuntime.Managed {Repository.Built("OnnxRuntimeVersion")}";
        string[] runtime = id == "MlNetBatchNorm.Onnx" ? [managed] : [];
        Assert.Equal(runtime, dependencies.Where(name => name.StartsWith("Microsoft.ML.OnnxRuntime", StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Dependencies_OnNet8_AreNoneOfWhichTheNewestNeedsALaterFramework(string id)
    {
        var groups = feed.Nuspec(id).Descendants("group").ToDictionary(
            group => group.Attribute("targetFramework")!.Value,
            group => group.Elements("dependency").ToDictionary(
                element => element.Attribute("id")!.Value, element => element.Attribute("version")!.Value));
        Assert.Equal(["net10.0", "net8.0"], groups.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, version) in groups["net8.0"])
            if (name.StartsWith("Microsoft.Extensions", StringComparison.Ordinal) || name.StartsWith("System", StringComparison.Ordinal))
                Assert.Equal(10, Version.Parse(version).Major);
    }

    [Theory]
    [MemberData(nameof(LibrariesByFramework))]
    public void Assembly_Library_HasDocumentationAndTheVersionThatStays(string id, string framework)
    {
        using var package = feed.Open(id);
        Assert.NotNull(package.GetEntry($"lib/{framework}/{id}.xml"));
        using var image = new PEReader(Copy(package.GetEntry($"lib/{framework}/{id}.dll")!));
        var name = image.GetMetadataReader().GetAssemblyDefinition().GetAssemblyName();
        Assert.Equal($"{id}, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null", name.FullName);
    }

    [Theory]
    [MemberData(nameof(LibrariesByFramework))]
    public void Symbols_Library_BelongToItAndNameNoFolderOfThisMachine(string id, string framework)
    {
        using var package = feed.Open(id);
        using var symbols = feed.Open(id, "snupkg");
        using var image = new PEReader(Copy(package.GetEntry($"lib/{framework}/{id}.dll")!));
        using var provider = MetadataReaderProvider.FromPortablePdbStream(Copy(symbols.GetEntry($"lib/{framework}/{id}.pdb")!));
        var pdb = provider.GetMetadataReader();

        var entry = image.ReadDebugDirectory().Single(found => found.Type == DebugDirectoryEntryType.CodeView);
        Assert.Equal(image.ReadCodeViewDebugDirectoryData(entry).Guid, new BlobContentId(pdb.DebugMetadataHeader!.Id).Guid);
        var documents = pdb.Documents.Select(document => pdb.GetString(pdb.GetDocument(document).Name)).ToList();
        Assert.NotEmpty(documents);
        if (Repository.Configuration != "Release") return;
        Assert.All(documents, document => Assert.StartsWith("/_", document, StringComparison.Ordinal));
    }

    [Fact]
    public void Tool_Package_BringsTheNativeLibraryOfEachDesktopSystem()
    {
        using var package = feed.Open("mlnetbn");
        var files = package.Entries.Select(entry => entry.FullName).ToList();
        Assert.Contains("tools/net10.0/any/DotnetToolSettings.xml", files);
        Assert.Contains("tools/net10.0/any/sample-data/churn.csv", files);
        Assert.Contains("tools/net10.0/any/mlnetbn.pdb", files);
        Assert.Contains("tools/net10.0/any/runtimes/linux-x64/native/libonnxruntime.so", files);
        Assert.Contains("tools/net10.0/any/runtimes/linux-arm64/native/libonnxruntime.so", files);
        Assert.Contains("tools/net10.0/any/runtimes/win-x64/native/onnxruntime.dll", files);
        Assert.Contains("tools/net10.0/any/runtimes/osx-arm64/native/libonnxruntime.dylib", files);
        Assert.DoesNotContain(files, file => file.Contains("/android/", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.Contains("/ios/", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.StartsWith("content", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.GetFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    private static MemoryStream Copy(ZipArchiveEntry entry)
    {
        var copy = new MemoryStream();
        using var content = entry.Open();
        content.CopyTo(copy);
        copy.Position = 0;
        return copy;
    }
}

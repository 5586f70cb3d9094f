using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests.Saving;

/// <summary>
/// ML.NET writes the name and version of our assembly into saved models, and loads none whose version is later than the assembly's. So both
/// stay for all of 1.x.
/// </summary>
public sealed partial class SavedAssemblyTests
{
    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Save_Network_NamesTheAssemblyThatStays(LearningTask task)
    {
        var ml = new MLContext(seed: 1);
        using var saved = new MemoryStream();
        ml.Model.Save(GoldenModels.Train(ml, task), GoldenModels.Rows(ml, task).Schema, saved);

        Assert.Equal(["MlNetBatchNorm, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null"], Assemblies(saved));
    }

    // They stand in the headers of the zip's entries, in UTF-16 at even places, some right behind the name of a contract.
    private static List<string> Assemblies(Stream model)
    {
        using var zip = new ZipArchive(model, ZipArchiveMode.Read);
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var entry in zip.Entries)
        {
            using var content = new StreamReader(entry.Open(), Encoding.Unicode);
            foreach (Match name in OurAssembly().Matches(content.ReadToEnd())) names.Add(name.Value);
        }

        return [.. names];
    }

    [GeneratedRegex(@"MlNetBatchNorm(\.[A-Za-z]+)*, Version=[\d.]+, Culture=neutral, PublicKeyToken=(null|[0-9a-f]{16})")]
    private static partial Regex OurAssembly();
}

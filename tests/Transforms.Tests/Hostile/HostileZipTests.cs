using System.IO.Compression;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Transforms.Tests.Saving;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Transforms.Tests.Hostile;

/// <summary>Whatever was done to a saved model: it is loaded, or refused with its name.</summary>
public sealed class HostileZipTests(ITestOutputHelper output) : IDisposable
{
    private static readonly byte[][] Whole =
        [.. Enum.GetValues<LearningTask>().Select(task => File.ReadAllBytes(GoldenModels.ModelPath(task, 1)))];

    private readonly string _folder = Directory.CreateTempSubdirectory("hostile").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void LoadBatched_BrokenFile_LoadsOrThrowsInvalidModel()
    {
        var path = Path.Combine(_folder, "model.zip");
        output.WriteLine(new HostileInputs(8) { BoundsMemory = false }.Run(
            100,
            Create,
            bytes =>
            {
                File.WriteAllBytes(path, bytes);
                using var model = new MLContext(seed: 1).Model.LoadBatched(path, out _);
            },
            exception => exception is InvalidModelException && exception.Message.Contains(path, StringComparison.Ordinal)));
    }

    [Fact]
    public void LoadBatched_StreamThatIsNoModel_ThrowsInvalidModel() => Assert.StartsWith(
        "The stream is no saved model of ML.NET, or is damaged: ",
        Assert.Throws<InvalidModelException>(() => new MLContext().Model.LoadBatched(new MemoryStream(new byte[100]), out _)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void LoadBatched_MissingFile_SaysSo() => Assert.Throws<FileNotFoundException>(
        () => new MLContext().Model.LoadBatched(Path.Combine(_folder, "none.zip"), out _));

    // Of the files inside, some are gone, twice there, called something else, or hold other bytes; then perhaps also the archive does.
    private static byte[] Create(Random random)
    {
        var whole = Whole[random.Next(Whole.Length)];
        if (random.Next(4) == 0) return HostileInputs.Mutated(whole, random);
        using var memory = new MemoryStream();
        using (var from = new ZipArchive(new MemoryStream(whole)))
        using (var to = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
        {
            var broken = random.Next(from.Entries.Count);
            foreach (var (number, entry) in from.Entries.Index())
            {
                var (name, bytes) = (entry.FullName, Read(entry));
                switch (number == broken ? random.Next(8) : -1)
                {
                    case 0: continue;
                    case 1: Add(to, name, bytes); break;
                    case 2: name = random.Next(2) == 0 ? $"../{name}" : name.ToUpperInvariant(); break;
                    case 3: bytes = bytes[..random.Next(bytes.Length + 1)]; break;
                    case 4: bytes = Read(from.Entries[random.Next(from.Entries.Count)]); break;
                    case >= 5: bytes = HostileInputs.Mutated(bytes, random); break;
                }

                Add(to, name, bytes);
            }
        }

        return random.Next(8) == 0 ? HostileInputs.Mutated(memory.ToArray(), random) : memory.ToArray();
    }

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static void Add(ZipArchive archive, string name, byte[] bytes)
    {
        using var stream = archive.CreateEntry(name).Open();
        stream.Write(bytes);
    }
}

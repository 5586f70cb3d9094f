using System.IO.Compression;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Tests;

public sealed class MnistFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-test-").FullName;

    // Two images of 2 × 3 to learn from, one to test on.
    public MnistFilesTests()
    {
        Write(MnistFiles.Names[0], [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6]);
        Write(MnistFiles.Names[1], [0, 0, 8, 1, 0, 0, 0, 2, 9, 0]);
        Write(MnistFiles.Names[2], [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 255, 0, 0, 0, 0, 0]);
        Write(MnistFiles.Names[3], [0, 0, 8, 1, 0, 0, 0, 1, 4]);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_FourFiles_GivesGreyValuesAndOneHotTargets()
    {
        var (training, test) = MnistFiles.Read(_folder);

        Assert.Equal(new SampleShape(1, 2, 3), training.Shape);
        Assert.Equal(2, training.Count);
        Assert.Equal([0, 0.2f, 0.4f, 0.6f, 0.8f, 1], training.Row(0).ToArray());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], training.Target(0).ToArray());
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], training.Target(1).ToArray());
        Assert.Equal([1, 0, 0, 0, 0, 0], test.FeatureArray);
        Assert.Equal(1, test.Target(0)[4]);
    }

    [Fact]
    public void Read_PackedFile_IsUnpacked()
    {
        var path = Path.Combine(_folder, MnistFiles.Names[0]);
        var expected = MnistFiles.Read(_folder).Training.FeatureArray;
        using (var packed = new GZipStream(File.Create(path + ".gz"), CompressionLevel.Optimal)) packed.Write(File.ReadAllBytes(path));
        File.Delete(path);

        Assert.Equal(expected, MnistFiles.Read(_folder).Training.FeatureArray);

        File.WriteAllText(path + ".gz", "no gzip");
        Assert.Contains("gzip", Assert.Throws<InvalidDataException>(() => MnistFiles.Read(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_MissingFile_NamesIt()
    {
        File.Delete(Path.Combine(_folder, MnistFiles.Names[2]));

        Assert.Contains(
            "t10k-images-idx3-ubyte",
            Assert.Throws<FileNotFoundException>(() => MnistFiles.Read(_folder)).Message,
            StringComparison.Ordinal);
    }

    public static TheoryData<int, byte[], string> Damaged => new()
    {
        { 0, [], "not an IDX file" },
        { 0, [31, 139, 8, 0, 0, 0, 0, 0], "not an IDX file" },
        { 0, [0, 0, 13, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], "type 0x0D" },
        { 0, [0, 0, 8, 1, 0, 0, 0, 1, 0], "1 axes, but 3 are expected" },
        { 0, [0, 0, 8, 3, 0, 0], "ends within its header" },
        { 0, [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3], "axis 0 has the size 0" },
        { 0, [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3], "2 × 2 × 3 elements, but 3 bytes follow" },
        { 0, [0, 0, 8, 3, 127, 0, 0, 2, 127, 0, 0, 2, 127, 0, 0, 3, 1, 2, 3], "but 3 bytes follow" },
        { 1, [0, 0, 8, 1, 0, 0, 0, 2, 9, 10], "the label 10 for image 1" },
        { 1, [0, 0, 8, 1, 0, 0, 0, 1, 9], "2 images, but" },
        { 2, [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7], "the shape [1, 2, 3], but those of" },
    };

    [Theory]
    [MemberData(nameof(Damaged))]
    public void Read_DamagedFile_SaysWhatIsWrong(int file, byte[] content, string message)
    {
        Write(MnistFiles.Names[file], content);

        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => MnistFiles.Read(_folder)).Message, StringComparison.Ordinal);
    }

    private void Write(string name, byte[] content) => File.WriteAllBytes(Path.Combine(_folder, name), content);
}

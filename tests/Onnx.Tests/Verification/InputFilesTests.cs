using System.IO.Compression;
using System.Text;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public sealed class InputFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("inputs").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_NumpyArchive_GivesEveryArrayByName()
    {
        var path = Archive(
            ("x", "<f4", "2, 2", [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64]), ("flag", "|b1", "1,", [1]),
            ("word", "<U2", "", [97, 0, 0, 0, 98, 0, 0, 0]));
        var set = Assert.Single(InputFiles.Read(path, ["x", "flag", "word"]));
        Assert.Equal([1f, 2f, 3f, 4f], (float[])set["x"].Data);
        Assert.Equal([2, 2], set["x"].Shape);
        Assert.Equal([true], (bool[])set["flag"].Data);
        Assert.Equal(["ab"], (string[])set["word"].Data);
        Assert.Empty(set["word"].Shape);
    }

    [Fact]
    public void Read_FoldersOfTensors_GivesASetForEach()
    {
        foreach (var set in new[] { 0, 1 })
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder, $"test_data_set_{set}")).FullName;
            File.WriteAllBytes(Path.Combine(folder, "input_0.pb"), TensorData.Create("", [set + 0.5f], 1).ToByteArray());
            File.WriteAllBytes(Path.Combine(folder, "input_1.pb"), TensorData.Create("", new long[] { set }, 1).ToByteArray());
        }

        var sets = InputFiles.Read(_folder, ["a", "b"]);
        Assert.Equal(2, sets.Count);
        Assert.Equal([1.5f], (float[])sets[1]["a"].Data);
        Assert.Equal(DataType.Int64, sets[1]["b"].Type);
    }

    [Theory]
    [InlineData("<f4", "3,", "needs 12 bytes, but holds 4")]
    [InlineData("<c8", "1,", "NumPy type '<c8'")]
    public void Read_BadArray_SaysWhich(string type, string shape, string expected)
    {
        var path = Archive(("x", type, shape, [0, 0, 0, 0]));
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => InputFiles.Read(path, ["x"])).Message);
    }

    [Fact]
    public void Read_MissingInput_ListsTheModelsInputs()
    {
        var path = Archive(("x", "|u1", "1,", [1]));
        Assert.Contains(
            "has no 'y'; the model's inputs are x, y",
            Assert.Throws<InvalidDataException>(() => InputFiles.Read(path, ["x", "y"])).Message);
    }

    [Fact]
    public void Read_EmptyFolder_SaysWhatWasExpected() =>
        Assert.Contains("input_0.pb", Assert.Throws<InvalidDataException>(() => InputFiles.Read(_folder, ["x"])).Message);

    [Fact]
    public void ReadLabeled_NumpyArchive_TakesTheLabelsOut()
    {
        var path = Archive(("x", "|u1", "2,", [1, 2]), ("churn", "|u1", "2,", [0, 1]));
        var rows = InputFiles.ReadLabeled(path, ["x"], "churn");
        Assert.Equal(["x"], Assert.Single(rows.Inputs).Keys);
        Assert.Equal("churn", rows.Labels!.Name);
        Assert.Equal([0, 1], (byte[])Assert.Single(rows.Labels.Values).Data);
    }

    [Fact]
    public void ReadLabeled_FolderOfTensors_TakesTheFileOfThatName()
    {
        File.WriteAllBytes(Path.Combine(_folder, "input_0.pb"), TensorData.Create("", [0.5f], 1).ToByteArray());
        File.WriteAllBytes(Path.Combine(_folder, "output_0.pb"), TensorData.Create("", [2.5f], 1).ToByteArray());
        Assert.Equal([2.5f], (float[])InputFiles.ReadLabeled(_folder, ["x"], "output_0").Labels!.Values[0].Data);
    }

    [Fact]
    public void ReadLabeled_NameThatIsNotThere_ListsThoseThatAre()
    {
        var path = Archive(("x", "|u1", "1,", [1]), ("churn", "|u1", "1,", [1]));
        Assert.Contains(
            "has no 'Churn' to take the labels from; it has x, churn",
            Assert.Throws<InvalidDataException>(() => InputFiles.ReadLabeled(path, ["x"], "Churn")).Message);
        Assert.Contains(
            "'x' is an input of the model", Assert.Throws<InvalidDataException>(() => InputFiles.ReadLabeled(path, ["x"], "x")).Message);
    }

    [Fact]
    public void Read_ArraysWithoutRows_IsAnError()
    {
        var path = Archive(("x", "<f4", "0, 3", []));
        Assert.Contains("holds no rows", Assert.Throws<InvalidDataException>(() => InputFiles.Read(path, ["x"])).Message);
    }

    [Theory]
    [InlineData("<f4", "9223372036854775807, 9223372036854775807, 16", "more than can be read")]
    [InlineData("<f4", "-1,", "which is none")]
    [InlineData("<f4", "1e3,", "which is none")]
    [InlineData("<U0", "2000000000,", "which hold nothing")]
    [InlineData("<U-1", "4,", "which hold nothing")]
    public void Read_ArrayOfAnAbsurdShape_IsRefusedWithTheFilesName(string type, string shape, string expected)
    {
        var path = Archive(("x", type, shape, [0, 0, 0, 0]));
        var message = Assert.Throws<InvalidDataException>(() => InputFiles.Read(path, ["x"])).Message;
        Assert.Contains(expected, message);
        Assert.Contains(path, message);
    }

    [Fact]
    public void Read_ArrayThatIsThereTwice_IsRefused() => Assert.Contains(
        "holds the array 'x' twice",
        Assert.Throws<InvalidDataException>(
            () => InputFiles.Read(Archive(("x", "|u1", "1,", [1]), ("x", "|u1", "1,", [2])), ["x"])).Message);

    [Fact]
    public void Read_ZerosPackedAThousandToOne_AreRefusedBeforeTheyAreUnpacked()
    {
        var path = Archive(("x", "|u1", $"{100 << 20},", new byte[100 << 20]));
        Assert.True(new FileInfo(path).Length < 1 << 20);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = Assert.Throws<InvalidDataException>(() => InputFiles.Read(path, ["x"])).Message;
        Assert.Contains("without compression", message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private string Archive(params (string Name, string Type, string Shape, byte[] Data)[] arrays)
    {
        var path = Path.Combine(_folder, "inputs.npz");
        using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var (name, type, shape, data) in arrays)
        {
            using var stream = archive.CreateEntry($"{name}.npy").Open();
            var header = Encoding.ASCII.GetBytes($"{{'descr': '{type}', 'fortran_order': False, 'shape': ({shape}), }}\n");
            stream.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, (byte)header.Length, 0]);
            stream.Write(header);
            stream.Write(data);
        }

        return path;
    }
}

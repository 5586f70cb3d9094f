using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests;

public sealed class ExternalDataTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("external").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Write_AboveTheLargestSingleFile_PutsLargeConstantsBesideTheModel()
    {
        var path = Path.Combine(_folder, "large.onnx");
        var model = Model();
        ModelFile.Write(model, path, largestSingleFile: 1000);
        Assert.Equal(["large.onnx", "large.onnx.data"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order());
        Assert.True(new FileInfo(path).Length < 1500);
        Assert.Equal(model, ModelFile.Read(path));
        // ONNX Runtime finds the data too.
        var folded = Path.Combine(_folder, "folded.onnx");
        ModelFile.Write(BatchNormFolder.Fold(ModelFile.Read(path)).Model.Proto, folded, largestSingleFile: 1000);
        Assert.True(ModelComparison.Compare(path, folded).LargestRelative < 1e-5);
    }

    [Theory]
    [InlineData("../secret.bin")]
    [InlineData("/etc/hostname")]
    [InlineData("sub/../../secret.bin")]
    [InlineData("link.bin")]
    [InlineData("folder/secret.bin")]
    public void Read_LocationThatLeavesTheFolder_IsRefused(string location)
    {
        var inner = Directory.CreateDirectory(Path.Combine(_folder, "model")).FullName;
        File.WriteAllBytes(Path.Combine(_folder, "secret.bin"), new byte[64 * 64 * 4]);
        File.CreateSymbolicLink(Path.Combine(inner, "link.bin"), Path.Combine(_folder, "secret.bin"));
        Directory.CreateSymbolicLink(Path.Combine(inner, "folder"), _folder);
        var message = Fails(inner, location, 0, 64 * 64 * 4);
        Assert.Contains($"lies at '{location}', outside of the model's folder", message);
    }

    [Fact]
    public void Read_MissingData_SaysWhichFile() =>
        Assert.Contains("there is no file 'gone.bin'", Fails(_folder, "gone.bin", 0, 64 * 64 * 4));

    [Fact]
    public void Read_DataThatIsTooShort_SaysHowShort()
    {
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), new byte[100]);
        Assert.Contains("ends at byte 16484, but the file 'w.bin' has only 100 bytes", Fails(_folder, "w.bin", 100, 64 * 64 * 4));
    }

    [Fact]
    public void Read_LengthThatDoesNotFitTheShape_SaysBoth() =>
        Assert.Contains("has 8 bytes, but its shape [64, 64] needs 16384", Fails(_folder, WriteData(), 0, 8));

    [Fact]
    public void Read_LinkInsideTheFolder_IsReadAsWhatItLeadsTo()
    {
        WriteData();
        File.CreateSymbolicLink(Path.Combine(_folder, "link.bin"), "w.bin");
        Assert.Equal(64 * 64 * 4, ModelFile.Read(Write(_folder, "link.bin", null, null)).Graph.Initializer[0].RawData.Length);
        File.CreateSymbolicLink(Path.Combine(_folder, "chain.bin"), "link.bin");
        Assert.Equal(64 * 64 * 4, ModelFile.Read(Write(_folder, "chain.bin", 0, 64 * 64 * 4)).Graph.Initializer[0].RawData.Length);
    }

    [Fact]
    public void Read_LinkInACircle_IsRefused()
    {
        File.CreateSymbolicLink(Path.Combine(_folder, "a.bin"), "b.bin");
        File.CreateSymbolicLink(Path.Combine(_folder, "b.bin"), "a.bin");
        Assert.Contains("'a.bin'", Fails(_folder, "a.bin", 0, 64 * 64 * 4));
    }

    [Theory]
    [InlineData("w\0.bin")]
    [InlineData("w.bin\u001b[2J")]
    public void Read_NameThatNoFileHas_IsRefused(string location) => Assert.Contains(location, Fails(_folder, location, 0, 64 * 64 * 4));

    [Fact]
    public void Read_FolderAsData_IsRefused()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "w.bin"));
        Assert.Contains("there is no file 'w.bin'", Fails(_folder, "w.bin", 0, 64 * 64 * 4));
    }

    [Fact]
    public void Read_ConstantsThatShareBytes_AreReadOnceAndNeverTakeMoreThanTheFileHas()
    {
        var path = Write(_folder, WriteData(), 0, 64 * 64 * 4);
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        var twin = model.Graph.Initializer[0].Clone();
        twin.Name = "twin";
        model.Graph.Initializer.Add(twin);
        ModelFile.Write(model, path);
        var read = ModelFile.Read(path).Graph.Initializer;
        Assert.Same(read[0].RawData, read[^1].RawData);

        // A million of them, each a byte further on, would be a million times the file.
        twin.Dims[0] = 63;
        (twin.ExternalData[1].Value, twin.ExternalData[2].Value) = ("4", $"{63 * 64 * 4}");
        ModelFile.Write(model, path);
        Assert.Contains("overlaps", Assert.Throws<InvalidModelException>(() => ModelFile.Read(path)).Message);
    }

    private string WriteData()
    {
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), new byte[64 * 64 * 4]);
        return "w.bin";
    }

    private static string Fails(string folder, string location, long offset, long length) =>
        Assert.Throws<InvalidModelException>(() => ModelFile.Read(Write(folder, location, offset, length))).Message;

    private static string Write(string folder, string location, long? offset, long? length)
    {
        var model = Model();
        var tensor = model.Graph.Initializer[0];
        tensor.ClearRawData();
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        foreach (var (key, value) in new[] { ("location", location), ("offset", $"{offset}"), ("length", $"{length}") })
            if (value.Length > 0) tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        var path = Path.Combine(folder, "model.onnx");
        ModelFile.Write(model, path);
        return path;
    }

    private static ModelProto Model()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 64), test.Weight("w", 64, 64)]), 64);
        test.Graph.Output("y", h, DataType.Float, "N", 64);
        return test.Graph.Build();
    }
}

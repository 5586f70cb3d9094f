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

    private string WriteData()
    {
        File.WriteAllBytes(Path.Combine(_folder, "w.bin"), new byte[64 * 64 * 4]);
        return "w.bin";
    }

    private static string Fails(string folder, string location, long offset, long length)
    {
        var model = Model();
        var tensor = model.Graph.Initializer[0];
        tensor.ClearRawData();
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        foreach (var (key, value) in new[] { ("location", location), ("offset", $"{offset}"), ("length", $"{length}") })
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        var path = Path.Combine(folder, "model.onnx");
        ModelFile.Write(model, path);
        return Assert.Throws<InvalidModelException>(() => ModelFile.Read(path)).Message;
    }

    private static ModelProto Model()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 64), test.Weight("w", 64, 64)]), 64);
        test.Graph.Output("y", h, DataType.Float, "N", 64);
        return test.Graph.Build();
    }
}

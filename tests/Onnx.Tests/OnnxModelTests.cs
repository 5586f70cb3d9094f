using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests;

/// <summary>A model as users hold it: read, described, saved, compared.</summary>
public sealed class OnnxModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-model-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Save_PathStreamAndBytes_ReadBackTheSame()
    {
        var model = Scaled(2);
        var path = Path.Combine(_folder, "scaled.onnx");
        model.Save(path);
        using var stream = new MemoryStream();
        model.Save(stream);
        Assert.Equal(File.ReadAllBytes(path), stream.ToArray());
        Assert.Equal(model.ToBytes(), stream.ToArray());
        stream.Position = 0;
        foreach (var read in new[] { OnnxModel.Load(path), OnnxModel.Load(stream), OnnxModel.Load(model.ToBytes()) })
        {
            Assert.Equal(model.Proto, read.Proto);
            Assert.Equal("x: Float[N, 3] -> y: Float[N, 3]", read.ToString());
        }
    }

    [Fact]
    public void Properties_ModelWithABatchNorm_SayWhatIsInIt()
    {
        var model = Scaled(2);
        Assert.Equal(17, model.Opset);
        Assert.Equal(2, model.NodeCount);
        Assert.Equal(1, model.BatchNormCount);
        Assert.Equal(13, model.ParameterCount);
        Assert.Equal(model.ToBytes().Length, model.ByteCount);
        Assert.Equal(OnnxElementType.Float, Assert.Single(model.Inputs).ElementType);
        Assert.Equal(1, BatchNormFolder.Fold(model).Model.NodeCount);
    }

    [Fact]
    public void Load_NotAModel_SaysSo()
    {
        Assert.Contains(
            "is empty", Assert.Throws<InvalidModelException>(() => OnnxModel.Load(Stream.Null)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "no ONNX model",
            Assert.Throws<InvalidModelException>(
                () => OnnxModel.Load(new byte[] { 8, 9 })).Message.Replace("not an", "no", StringComparison.Ordinal),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_RowsOfTheCaller_ShowTheDifference()
    {
        var result = ModelComparison.Compare(Scaled(2), Scaled(3), ModelInputs.FromRows([1, 2, 3, 4, 5, 6], 2));
        Assert.Equal(1, result.Runs);
        // y = 2·x and 3·x, up to the 1/√(1 + ε) of both.
        Assert.Equal(0.5, result.LargestRelative, 1e-3);
        Assert.Equal(6, result.LargestAbsolute, 1e-2);
    }

    [Theory]
    [InlineData(4, 2, "take")]
    [InlineData(5, 2, "not 2 rows")]
    public void FromRows_OtherWidth_SaysWhatTheModelTakes(int numbers, int rows, string expected)
    {
        var exception = Assert.ThrowsAny<Exception>(
            () => ModelComparison.Compare(Scaled(2), Scaled(2), ModelInputs.FromRows(new float[numbers], rows)));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    private static OnnxModel Scaled(float factor)
    {
        var nodes = new GraphBuilder("scaled");
        Value Channels(string name, float value) => nodes.Initializer(TensorData.Create(name, [value, value, value], 3));
        var norm = nodes.Node(
            "BatchNormalization",
            [
                nodes.Input("x", DataType.Float, TensorDimension.Rows, 3), Channels("gamma", 1), Channels("beta", 0), Channels("mean", 0),
                Channels("var", 1),
            ]);
        nodes.Output(
            "y", nodes.Node("Mul", [norm, nodes.Initializer(TensorData.Create("factor", [factor], 1))]), DataType.Float,
            TensorDimension.Rows, 3);
        return new OnnxModel(nodes.Build());
    }
}

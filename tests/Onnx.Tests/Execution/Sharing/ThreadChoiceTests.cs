using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class ThreadChoiceTests
{
    private static byte[] Product(int size)
    {
        var nodes = new GraphBuilder("product");
        var weights = nodes.Initializer(TensorData.Create("weights", new float[size * size], size, size));
        var value = nodes.Input("x", DataType.Float, "N", size);
        nodes.Output("y", nodes.Node("MatMul", [value, weights]), DataType.Float, "N", size);
        return nodes.Build().ToByteArray();
    }

    [Fact]
    public void Load_TinyModel_StaysOnOneThread()
    {
        using var scorer = OnnxScorer.Load(Product(4));
        Assert.Equal(1, scorer.Threads);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0)]
    public void Load_ThreadsGiven_TakesThem(int threads)
    {
        using var scorer = OnnxScorer.Load(Product(4), new OnnxScorerOptions { Threads = threads });
        Assert.Equal(threads, scorer.Threads);
    }

    [Fact]
    public void Load_LongRun_IsDecidedByMeasurementAndRemembered()
    {
        var model = Product(2048);
        using var first = OnnxScorer.Load(model);
        Assert.Contains(first.Threads, (int[])[0, 1]);
        using var second = OnnxScorer.Load(model);
        Assert.Equal(first.Threads, second.Threads);
    }

    [Fact]
    public void Load_Throughput_KeepsEachCallOnItsThread()
    {
        using var scorer = OnnxScorer.Load(Product(2048), OnnxScorerOptions.ForThroughput);
        Assert.Equal(1, scorer.Threads);
    }
}

using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

[Trait("Category", "Gpu")]
public sealed class GpuTests
{
    private static ModelProto Network()
    {
        var random = new Random(1);
        var nodes = new GraphBuilder("network");
        var value = nodes.Input("x", DataType.Float, "N", 32);
        var sizes = (int[])[32, 64, 32, 4];
        for (var layer = 1; layer < sizes.Length; layer++)
        {
            var weights = Enumerable.Range(0, sizes[layer - 1] * sizes[layer]).Select(_ => random.NextSingle() - 0.5f).ToArray();
            var product = nodes.Node("MatMul", [value, nodes.Initializer(TensorData.Create($"w{layer}", weights, sizes[layer - 1], sizes[layer]))]);
            value = nodes.Node(layer == sizes.Length - 1 ? "Softmax" : "Relu", [product]);
        }

        nodes.Output("y", value, DataType.Float, "N", 4);
        return nodes.Build();
    }

    [GpuFact]
    public void Score_OnTheGpu_GivesTheNumbersOfTheCpu()
    {
        using var cpu = Scorer.Load(Network());
        using var gpu = Scorer.Load(Network(), new ScorerSettings { Device = Device.Cuda() });
        Assert.Equal(DeviceKind.Cuda, gpu.ActualDevice.Kind);
        var random = new Random(2);
        foreach (var count in (int[])[1, 7, 300, 300, 300, 5000])
        {
            var rows = Enumerable.Range(0, count * 32).Select(_ => random.NextSingle()).ToArray();
            var expected = new float[count * 4];
            var actual = new float[count * 4];
            cpu.ScoreBatch(rows, count, expected);
            gpu.ScoreBatch(rows, count, actual);
            for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-4f);
        }
    }
}

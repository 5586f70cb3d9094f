using MlNetBatchNorm.Onnx.Execution.Memory;
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
            var product =
                nodes.Node("MatMul", [value, nodes.Initializer(TensorData.Create($"w{layer}", weights, sizes[layer - 1], sizes[layer]))]);
            value = nodes.Node(layer == sizes.Length - 1 ? "Softmax" : "Relu", [product]);
        }

        nodes.Output("y", value, DataType.Float, "N", 4);
        return nodes.Build();
    }

    [GpuFact]
    public void Score_OnTheGpu_GivesTheNumbersOfTheCpu()
    {
        using var cpu = OnnxScorer.Load(Network());
        using var gpu = OnnxScorer.Load(Network(), new OnnxScorerOptions { Device = Device.Cuda() });
        Assert.Equal(DeviceKind.Cuda, gpu.Device.Kind);
        foreach (var count in (int[])[1, 7, 300, 300, 300, 5000]) RequireTheSame(cpu, gpu, count, count);
    }

    private static float[] Rows(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count * 32).Select(_ => random.NextSingle())];
    }

    private static void RequireTheSame(OnnxScorer cpu, OnnxScorer gpu, int count, int seed)
    {
        var rows = Rows(count, seed);
        var expected = new float[count * 4];
        var actual = new float[count * 4];
        cpu.ScoreBatch(rows, count, expected);
        gpu.ScoreBatch(rows, count, actual);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-4f);
    }

    [GpuFact]
    public void Load_OnTheGpu_KeepsTensorsThereAndPinsTheHostsBuffers()
    {
        using var gpu = OnnxScorer.Load(Network(), new OnnxScorerOptions { Device = Device.Cuda() });
        Assert.Equal(new MemoryReport(TensorRoute.Kept, IsPinned: true), gpu.Memory);
        using var block = gpu.CreateBlock(16);
        Assert.True(block.Input<float>(0).IsPinned);
    }

    [GpuFact]
    public void Score_RecordedAsGraphs_GivesTheNumbersOfTheCpu()
    {
        using var cpu = OnnxScorer.Load(Network());
        using var gpu = OnnxScorer.Load(Network(), new OnnxScorerOptions { Device = Device.Cuda(new CudaOptions { Graph = true }) });
        Assert.True(gpu.Memory.ReplaysGraphs, gpu.Memory.ToString());
        var seed = 0;
        foreach (var count in (int[])[1, 1, 1, 1, 256, 256, 256, 256, 7, 300, 300, 300, 1, 256, 5000, 5000, 1])
            RequireTheSame(cpu, gpu, count, seed++);
        Parallel.For(0, 4, thread =>
        {
            for (var i = 0; i < 50; i++) RequireTheSame(cpu, gpu, 1 + (i % 3), (1000 * thread) + i);
        });
    }

    [GpuTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void DeviceRun_TensorsOnTheGpu_GiveTheNumbersOfTheCpuAndAllocateNothing(bool graph)
    {
        using var cpu = OnnxScorer.Load(Network());
        using var gpu = OnnxScorer.Load(Network(), new OnnxScorerOptions { Device = Device.Cuda(new CudaOptions { Graph = graph }) });
        using var run = gpu.CreateDeviceRun(64);
        Assert.True(run.Input("x").IsOnDevice);
        var expected = new float[64 * 4];
        var actual = new float[64 * 4];
        for (var i = 0; i < 5; i++)
        {
            var rows = Rows(64, i);
            cpu.ScoreBatch(rows, 64, expected);
            run.Upload(rows);
            run.Run();
            run.Download(actual);
            for (var at = 0; at < expected.Length; at++) Assert.Equal(expected[at], actual[at], 1e-4f);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) run.Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // Another run records and replays in between; what lies on the device must stay as it is.
    [GpuFact]
    public void DeviceRun_OtherGraphsReplayedMeanwhile_KeepsItsTensors()
    {
        using var cpu = OnnxScorer.Load(Network());
        using var gpu = OnnxScorer.Load(Network(), new OnnxScorerOptions { Device = Device.Cuda(new CudaOptions { Graph = true }) });
        for (var i = 0; i < 3; i++) RequireTheSame(cpu, gpu, 256, i);
        using var run = gpu.CreateDeviceRun(64);
        var rows = Rows(64, 1);
        var expected = new float[64 * 4];
        var actual = new float[64 * 4];
        cpu.ScoreBatch(rows, 64, expected);
        run.Upload(rows);
        for (var i = 0; i < 3; i++)
        {
            for (var other = 0; other < 3; other++) RequireTheSame(cpu, gpu, 256, other);
            run.Run();
        }

        run.Download(actual);
        for (var at = 0; at < expected.Length; at++) Assert.Equal(expected[at], actual[at], 1e-4f);
    }

    [GpuFact]
    public void Load_ModelThatCannotBeRecorded_SaysSoInOneLine()
    {
        var nodes = new GraphBuilder("places of what is not zero");
        var places = nodes.Node("NonZero", [nodes.Input("x", DataType.Float, "N", 2)]);
        var text = nodes.Node("Cast", [places], ("to", (long)DataType.String));
        nodes.Output("y", text, DataType.String, 2, "M");
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => OnnxSession.Load(nodes.Build(), new ExecutionOptions { Device = Device.Cuda(new CudaOptions { Graph = true }) }));
        Assert.Contains("cannot use the graph capture feature", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }
}

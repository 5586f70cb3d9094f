using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>
/// A device with a memory of its own: TestProvider.c, in whose memory every byte is scrambled, so that a copy that is missing or one too
/// many gives wrong numbers.
/// </summary>
public sealed class DeviceMemoryTests : IClassFixture<TestProvider>
{
    private readonly TestProvider _provider;

    public DeviceMemoryTests(TestProvider provider) => _provider = provider;

    private Device Plain => Device.Cuda(new CudaOptions { Library = _provider.Path });

    private Device Recording => Device.Cuda(new CudaOptions { Library = _provider.Path, Graph = true });

    // minus = −x; back = −minus, where asked for
    private static ModelProto Negation(bool andBack = false)
    {
        var nodes = new GraphBuilder("negation");
        var minus = nodes.Node("Neg", [nodes.Input("x", DataType.Float, TensorDimension.Rows, 3)]);
        nodes.Output("minus", minus, DataType.Float, TensorDimension.Rows, 3);
        if (andBack) nodes.Output("back", nodes.Node("Neg", [minus]), DataType.Float, TensorDimension.Rows, 3);
        return nodes.Build();
    }

    private static void RequireNegated(OnnxScorer scorer, int count, int seed)
    {
        var random = new Random(seed);
        var rows = Enumerable.Range(0, count * 3).Select(_ => random.NextSingle()).ToArray();
        var result = new float[count * 3];
        if (count == 1) scorer.Score(rows, result);
        else scorer.ScoreBatch(rows, count, result);
        Assert.Equal(rows.Select(value => -value), result);
    }

    [ProviderLibraryFact]
    public void Score_TensorsAreKept_CopiesFromPinnedBuffersAndAllocatesOnlyOnce()
    {
        using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = Plain });
        Assert.Equal(new MemoryReport(TensorRoute.Kept, IsPinned: true), scorer.Memory);
        Assert.Equal("tensors stay on the device, copied from and to page-locked memory of the host", scorer.Memory.ToString());
        for (var i = 0; i < 3; i++) RequireNegated(scorer, 1, i);
        for (var i = 0; i < 3; i++) RequireNegated(scorer, 300, i);
        var (blocks, pinned, copied, fromPinned) =
            (_provider[TestCount.DeviceBlocks], _provider[TestCount.PinnedBlocks],
            _provider[TestCount.CopiesIn], _provider[TestCount.PinnedCopies]);
        for (var i = 0; i < 5; i++) RequireNegated(scorer, 1, i);
        for (var i = 0; i < 5; i++) RequireNegated(scorer, 300, i);
        Assert.Equal((blocks, pinned), (_provider[TestCount.DeviceBlocks], _provider[TestCount.PinnedBlocks]));
        Assert.Equal((copied + 10, fromPinned + 20), (_provider[TestCount.CopiesIn], _provider[TestCount.PinnedCopies]));
    }

    [ProviderLibraryTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Score_SizesThatChange_GiveEachRowItsOwnAnswer(bool recording)
    {
        using var scorer = OnnxScorer.Load(
            Negation(andBack: true), new OnnxScorerOptions { Device = recording ? Recording : Plain, Outputs = ["minus"], BatchSize = 64 });
        Assert.Equal(recording, scorer.Memory.ReplaysGraphs);
        var seed = 0;
        foreach (var count in (int[])[1, 1, 1, 17, 17, 17, 17, 33, 5, 5, 5, 64, 64, 64, 200, 200, 200, 1, 17, 33, 33, 33, 1])
            RequireNegated(scorer, count, seed++);
    }

    [ProviderLibraryFact]
    public void Score_RecordingDevice_RecordsShapesThatComeAgainAndNoOthers()
    {
        using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = Recording });
        var recorded = _provider[TestCount.Recorded];
        foreach (var count in (int[])[5, 4, 3, 2]) RequireNegated(scorer, count, count);
        Assert.Equal(recorded, _provider[TestCount.Recorded]);
        foreach (var count in (int[])[2, 3]) RequireNegated(scorer, count, count + 10);
        Assert.Equal(recorded + 2, _provider[TestCount.Recorded]);

        var (runs, replayed) = (_provider[TestCount.Runs], _provider[TestCount.Replayed]);
        for (var i = 0; i < 5; i++)
        {
            RequireNegated(scorer, 2, i + 20);
            RequireNegated(scorer, 3, i + 30);
        }

        Assert.Equal(
            (runs, replayed + 10, recorded + 2), (_provider[TestCount.Runs], _provider[TestCount.Replayed], _provider[TestCount.Recorded]));
    }

    // Tensors that are elsewhere at each run must never be recorded: a replay would read what is long gone.
    [ProviderLibraryFact]
    public void Run_RecordingDeviceWithTensorsMadeForEachRun_IsNeverRecorded()
    {
        using var session = OnnxSession.Load(Negation(), new ExecutionOptions { Device = Recording });
        var (recorded, unrecorded) = (_provider[TestCount.Recorded], _provider[TestCount.Unrecorded]);
        for (var i = 0; i < 4; i++)
        {
            var outputs = session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([i, 2f, 3f], 1, 3) });
            Assert.Equal([-i, -2f, -3f], (float[])outputs["minus"].Data);
        }

        Assert.Equal((recorded, unrecorded + 4), (_provider[TestCount.Recorded], _provider[TestCount.Unrecorded]));
    }

    [ProviderLibraryFact]
    public void Score_RecordingDeviceAndManyThreads_EachGetsItsOwnAnswer()
    {
        using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = Recording });
        Parallel.For(0, 4, thread =>
        {
            for (var i = 0; i < 100; i++) RequireNegated(scorer, 1 + (i % 4), (1000 * thread) + i);
        });
    }

    [ProviderLibraryTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void DeviceRun_ModelsThatFeedEachOther_CopyNothingInBetween(bool recording)
    {
        var settings = new OnnxScorerOptions { Device = recording ? Recording : Plain };
        using var first = OnnxScorer.Load(Negation(), settings);
        using var second = OnnxScorer.Load(Negation(), settings);
        using var one = first.CreateDeviceRun(2);
        using var two = second.CreateDeviceRun(2, new Dictionary<string, DeviceTensor> { ["x"] = one.Output("minus") });
        var result = new float[6];
        for (var i = 0; i < 4; i++)
        {
            one.Upload([i, 2, 3, 4, 5, 6]);
            var (copiesIn, copiesOut) = (_provider[TestCount.CopiesIn], _provider[TestCount.CopiesOut]);
            one.Run();
            two.Run();
            Assert.Equal((copiesIn, copiesOut), (_provider[TestCount.CopiesIn], _provider[TestCount.CopiesOut]));
            two.Download(result);
            Assert.Equal([i, 2f, 3f, 4f, 5f, 6f], result);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            one.Run();
            two.Run();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // It has more than the provider takes, which then takes none of it.
    [ProviderLibraryFact]
    public void Score_ModelThatStaysOnTheCpu_IsReadInPlace()
    {
        var nodes = new GraphBuilder("twice");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 3);
        nodes.Output("y", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, TensorDimension.Rows, 3);
        using var scorer = OnnxScorer.Load(nodes.Build(), new OnnxScorerOptions { Device = Plain });
        Assert.Equal(TensorRoute.InPlace, scorer.Memory.Route);
        var exception =
            Assert.Throws<DeviceNotAvailableException>(() => OnnxScorer.Load(nodes.Build(), new OnnxScorerOptions { Device = Recording }));
        Assert.Contains("cannot use the graph capture feature", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
        using var fallen = OnnxScorer.Load(nodes.Build(), new OnnxScorerOptions { Device = Recording.OrCpu() });
        Assert.True(fallen.DeviceReport.IsSurprising);
    }

    [ProviderLibraryFact]
    public void Dispose_ScorerBeforeItsTensors_LeavesThemUsable()
    {
        var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = Plain });
        using var run = scorer.CreateDeviceRun(1);
        scorer.Dispose();
        run.Upload([1, 2, 3]);
        run.Run();
        var result = new float[3];
        run.Download(result);
        Assert.Equal([-1f, -2f, -3f], result);
    }
}

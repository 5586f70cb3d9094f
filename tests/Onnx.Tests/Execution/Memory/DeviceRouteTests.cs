using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>
/// What is the same wherever tensors lie: on the CPU, on a device to which ONNX Runtime's environment copies, and on one to which only its
/// sessions do.
/// </summary>
public sealed class DeviceRouteTests(TestProvider kept, SessionsCopyProvider handedOver)
    : IClassFixture<TestProvider>, IClassFixture<SessionsCopyProvider>
{
    public static TheoryData<object> Routes => [TensorRoute.InPlace, TensorRoute.Kept, TensorRoute.HandedOver];

    private Device On(TensorRoute route) => route switch
    {
        TensorRoute.Kept => Device.Cuda(new CudaOptions { Library = kept.Path }),
        TensorRoute.HandedOver => Device.Cuda(new CudaOptions { Library = handedOver.Path }),
        _ => Device.Cpu,
    };

    // minusA = −a (two columns), minusB = −b (one)
    private static ModelProto TwoInputs(TensorDimension? rows = null)
    {
        var nodes = new GraphBuilder("two inputs");
        Negated("a", "minusA", 2);
        Negated("b", "minusB", 1);
        return nodes.Build();

        void Negated(string input, string output, int width)
        {
            var value = nodes.Input(input, DataType.Float, rows ?? TensorDimension.Rows, width);
            nodes.Output(output, nodes.Node("Neg", [value]), DataType.Float, rows ?? TensorDimension.Rows, width);
        }
    }

    [ProviderLibraryTheory]
    [MemberData(nameof(Routes))]
    public void Score_OnEveryRoute_SeesEveryRow(object on)
    {
        var route = (TensorRoute)on;
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { Device = On(route), BatchSize = 4, Threads = 1 });
        Assert.Equal(route, scorer.Memory.Route);
        var isRefused = scorer.Memory.Obstacle?.Contains("only sessions copy here", StringComparison.Ordinal) ?? false;
        Assert.Equal(route == TensorRoute.HandedOver, isRefused);
        var result = new float[3];
        for (var i = 0; i < 3; i++)
        {
            scorer.Score([i, 1, 2], result);
            Assert.Equal([-i, -1f, -2f], result);
        }

        var rows = new float[15];
        var results = new float[15];
        for (var i = 0; i < 3; i++)
        {
            for (var at = 0; at < rows.Length; at++) rows[at] = at + i;
            scorer.ScoreBatch(rows, 5, results);
            Assert.Equal(rows.Select(value => -value), results);
        }
    }

    // As training does: each step reads what the one before wrote. A binding copies an input to such a device only once.
    [ProviderLibraryTheory]
    [MemberData(nameof(Routes))]
    public void Run_TwoRunsOverTheSameBuffers_EachReadsWhatTheOtherWrote(object on)
    {
        var route = (TensorRoute)on;
        using var session = OnnxSession.Load(TwoInputs(), new ExecutionOptions { Device = On(route) });
        using var a = new TwoBuffers(session, 1, 2);
        using var b = new TwoBuffers(session, 1, 1);
        using var there = Bind(a.First, a.Second, b.First, b.Second);
        using var back = Bind(a.Second, a.First, b.Second, b.First);
        for (var i = 1; i < 4; i++)
        {
            a.First.Span[0] = i;
            b.First.Span[0] = 10 * i;
            there.Run();
            Assert.Equal([-i, -10f * i], [a.Second.Span[0], b.Second.Span[0]]);
            a.Second.Span[1] = i + 1;
            back.Run();
            Assert.Equal([i, -i - 1, 10f * i], [a.First.Span[0], a.First.Span[1], b.First.Span[0]]);
        }

        BoundRun Bind(TensorBuffer<float> fromA, TensorBuffer<float> toA, TensorBuffer<float> fromB, TensorBuffer<float> toB)
        {
            var run = session.CreateBoundRun();
            run.BindInput("a", fromA.Whole);
            run.BindOutput("minusA", toA.Whole);
            run.BindInput("b", fromB.Whole);
            run.BindOutput("minusB", toB.Whole);
            return run;
        }
    }

    [ProviderLibraryTheory]
    [MemberData(nameof(Routes))]
    public void DeviceRun_UploadedRows_GivesTheSameOnEveryRoute(object on)
    {
        var route = (TensorRoute)on;
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { Device = On(route) });
        using var run = scorer.CreateDeviceRun(2);
        Assert.Equal((2, "a", 4L), (run.Rows, run.Input("a").Name, run.Input("a").Length));
        Assert.Equal(route == TensorRoute.Kept, run.Input("a").IsOnDevice);
        var result = new float[6];
        for (var i = 1; i < 4; i++)
        {
            run.Upload([1, 2, 3, 4, i, 100]);
            run.Run();
            run.Download(result);
            Assert.Equal([-1, -2, -3, -4, -i, -100f], result);
        }

        run.Input("b").Upload<float>([7, 8]);
        run.Run();
        var minus = new float[2];
        run.Output("minusB").Download<float>(minus);
        Assert.Equal([-7f, -8f], minus);
    }

    [ProviderLibraryTheory]
    [InlineData(TensorRoute.InPlace)]
    [InlineData(TensorRoute.Kept)]
    public void DeviceRun_AfterTheFirstRuns_AllocatesNothing(object on)
    {
        var route = (TensorRoute)on;
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { Device = On(route) });
        using var run = scorer.CreateDeviceRun(16);
        for (var i = 0; i < 5; i++) run.Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) run.Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [ProviderLibraryFact]
    public void CreateDeviceRun_OutputsChosen_ComputesOnlyThose()
    {
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { Device = On(TensorRoute.Kept), Outputs = ["minusB"] });
        using var run = scorer.CreateDeviceRun(1);
        run.Upload([1, 2, 3]);
        run.Run();
        var minus = new float[1];
        run.Download(minus);
        Assert.Equal(-3, minus[0]);
        Assert.Contains(
            "no output 'minusA'", Assert.Throws<ArgumentException>(() => run.Output("minusA")).Message, StringComparison.Ordinal);
    }

    [ProviderLibraryTheory]
    [InlineData(TensorRoute.InPlace)]
    [InlineData(TensorRoute.Kept)]
    public void CreateDeviceRun_WrongTensorsOrRows_SaysWhatWasExpected(object on)
    {
        var route = (TensorRoute)on;
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { Device = On(route) });
        using var other = scorer.CreateDeviceRun(3);
        var tensors = new Dictionary<string, DeviceTensor> { ["b"] = other.Output("minusB") };
        Refuses<ArgumentException>(
            () => scorer.CreateDeviceRun(2, tensors), "minusB: Float[3, 1]", "'b' of 2 row(s), which is a Float[2, 1]");
        var unknown = new Dictionary<string, DeviceTensor> { ["c"] = other.Output("minusB") };
        Refuses<ArgumentException>(() => scorer.CreateDeviceRun(3, unknown), "neither an input nor an output of that name");
        Refuses<ArgumentOutOfRangeException>(() => scorer.CreateDeviceRun(0), "rows");
        using var of = scorer.CreateDeviceRun(3, tensors);
        Refuses<ArgumentException>(() => of.Upload([1, 2]), "The inputs of 3 row(s) hold 9 numbers, but there are 2");
        Refuses<ArgumentException>(() => of.Input("a").Upload<double>([1, 2, 3, 4, 5, 6]), "Double");
        using var fixedRows = OnnxScorer.Load(TwoInputs(4), new OnnxScorerOptions { Device = On(route) });
        Refuses<ArgumentOutOfRangeException>(() => fixedRows.CreateDeviceRun(3), "always takes 4 rows");
        fixedRows.CreateDeviceRun(4).Dispose();

        static void Refuses<T>(Action action, params string[] words)
            where T : Exception
        {
            var message = Assert.Throws<T>(action).Message;
            foreach (var word in words) Assert.Contains(word, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void CreateDeviceRun_ScorerIsDisposed_Throws()
    {
        var scorer = OnnxScorer.Load(TwoInputs());
        scorer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scorer.CreateDeviceRun(1));
    }

    [ProviderLibraryTheory]
    [MemberData(nameof(Routes))]
    public void Run_BlockOfOtherTypes_GivesTheSameOnEveryRoute(object on)
    {
        var route = (TensorRoute)on;
        var nodes = new GraphBuilder("a number, a text");
        var number = nodes.Input("number", DataType.Int64, TensorDimension.Rows);
        nodes.Output("negative", nodes.Node("Neg", [number]), DataType.Int64, TensorDimension.Rows);
        nodes.Output(
            "same", nodes.Node("Identity", [nodes.Input("text", DataType.String, TensorDimension.Rows)]), DataType.String,
            TensorDimension.Rows);
        using var model = RowModel.Load(nodes.Build(), new RowModelSettings { Run = new() { Device = On(route) } });
        Assert.Equal(route, model.Memory.Route);
        using var block = model.CreateBlock(64);
        Assert.Equal(route == TensorRoute.Kept, block.Input<long>(0).IsPinned);
        foreach (var count in (int[])[1, 3, 3, 17, 18, 64])
        {
            for (var row = 0; row < count; row++)
            {
                block.Input<long>(0).Span[row] = row;
                block.TextInput(1)[row] = $"text {row}".AsMemory();
            }

            block.Run(count);
            for (var row = 0; row < count; row++)
            {
                Assert.Equal(-row, block.Output<long>(0).Span[row]);
                Assert.Equal($"text {row}", block.TextOutput(1)[row].ToString());
            }
        }
    }

    private sealed class TwoBuffers(OnnxSession session, params long[] shape) : IDisposable
    {
        public TensorBuffer<float> First { get; } = session.CreateBuffer<float>(shape);

        public TensorBuffer<float> Second { get; } = session.CreateBuffer<float>(shape);

        public void Dispose()
        {
            First.Dispose();
            Second.Dispose();
        }
    }
}

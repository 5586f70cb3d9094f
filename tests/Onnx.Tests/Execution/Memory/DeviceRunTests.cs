using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>What is the same on every device, with the host's memory in the place of a device's.</summary>
public sealed class DeviceRunTests
{
    // scaled = a·b (b has one column), total = the sum of a's columns
    private static ModelProto TwoInputs(Dimension? rows = null)
    {
        var nodes = new GraphBuilder("two inputs");
        var a = nodes.Input("a", DataType.Float, rows ?? Dimension.Rows, 2);
        var b = nodes.Input("b", DataType.Float, rows ?? Dimension.Rows, 1);
        nodes.Output("scaled", nodes.Node("Mul", [a, b]), DataType.Float, rows ?? Dimension.Rows, 2);
        var ones = nodes.Initializer(TensorData.Create("ones", [1f, 1f], 2, 1));
        nodes.Output("total", nodes.Node("MatMul", [a, ones]), DataType.Float, rows ?? Dimension.Rows, 1);
        return nodes.Build();
    }

    public static TheoryData<TensorRoute> Routes => [TensorRoute.InPlace, TensorRoute.Kept, TensorRoute.HandedOver];

    private static ScorerSettings Settings(TensorRoute route) => new()
    {
        Threads = 1,
        StandIn = route switch
        {
            TensorRoute.Kept => MemoryStandIn.Kept,
            TensorRoute.HandedOver => MemoryStandIn.HandedOver,
            _ => MemoryStandIn.None,
        },
    };

    [Theory]
    [MemberData(nameof(Routes))]
    public void Run_UploadedRows_GivesTheSameOnEveryRoute(TensorRoute route)
    {
        using var scorer = Scorer.Load(TwoInputs(), Settings(route));
        Assert.Equal(route, scorer.Memory.Route);
        using var run = scorer.CreateDeviceRun(2);
        Assert.Equal((2, "a", 4L), (run.Rows, run.Input("a").Name, run.Input("a").Length));
        var result = new float[6];
        for (var i = 1; i < 4; i++)
        {
            run.Upload([1, 2, 3, 4, i, 100]);
            run.Run();
            run.Download(result);
            Assert.Equal([i, 2f * i, 300f, 400f, 3f, 7f], result);
        }

        run.Input("b").Upload<float>([7, 8]);
        run.Run();
        var scaled = new float[4];
        run.Output("scaled").Download<float>(scaled);
        Assert.Equal([7f, 14f, 24f, 32f], scaled);
    }

    [Theory]
    [InlineData(TensorRoute.InPlace)]
    [InlineData(TensorRoute.Kept)]
    public void Run_AfterTheFirst_AllocatesNothing(TensorRoute route)
    {
        using var scorer = Scorer.Load(TwoInputs(), Settings(route));
        using var run = scorer.CreateDeviceRun(16);
        for (var i = 0; i < 5; i++) run.Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) run.Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void CreateDeviceRun_OutputsChosen_ComputesOnlyThose()
    {
        using var scorer = Scorer.Load(TwoInputs(), Settings(TensorRoute.Kept) with { Outputs = ["total"] });
        using var run = scorer.CreateDeviceRun(1);
        run.Upload([1, 2, 3]);
        run.Run();
        var total = new float[1];
        run.Download(total);
        Assert.Equal(3, total[0]);
        Assert.Contains("no output 'scaled'", Assert.Throws<ArgumentException>(() => run.Output("scaled")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CreateDeviceRun_WrongTensorsOrRows_SaysWhatWasExpected()
    {
        using var scorer = Scorer.Load(TwoInputs(), Settings(TensorRoute.Kept));
        using var other = scorer.CreateDeviceRun(3);
        var tensors = new Dictionary<string, DeviceTensor> { ["b"] = other.Output("total") };
        var shape = Assert.Throws<ArgumentException>(() => scorer.CreateDeviceRun(2, tensors));
        Assert.Contains("total: Float[3, 1]", shape.Message, StringComparison.Ordinal);
        Assert.Contains("'b' of 2 row(s), which is a Float[2, 1]", shape.Message, StringComparison.Ordinal);
        var name = Assert.Throws<ArgumentException>(() => scorer.CreateDeviceRun(3, new Dictionary<string, DeviceTensor> { ["c"] = other.Output("total") }));
        Assert.Contains("neither an input nor an output of that name", name.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => scorer.CreateDeviceRun(0));
        using var of = scorer.CreateDeviceRun(3, tensors);
        Assert.Contains("the inputs of 3 row(s) hold 9 numbers, but there are 2", Assert.Throws<ArgumentException>(() => of.Upload([1, 2])).Message, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Double", Assert.Throws<ArgumentException>(() => of.Input("a").Upload<double>([1, 2, 3, 4, 5, 6])).Message, StringComparison.Ordinal);
        using var fixedRows = Scorer.Load(TwoInputs(4), Settings(TensorRoute.Kept));
        Assert.Contains("always takes 4 rows", Assert.Throws<ArgumentOutOfRangeException>(() => fixedRows.CreateDeviceRun(3)).Message, StringComparison.Ordinal);
        fixedRows.CreateDeviceRun(4).Dispose();
    }

    [Fact]
    public void CreateDeviceRun_ScorerIsDisposed_Throws()
    {
        var scorer = Scorer.Load(TwoInputs());
        scorer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scorer.CreateDeviceRun(1));
    }

    [Theory]
    [MemberData(nameof(Routes))]
    public void Run_BlockOfOtherTypes_GivesTheSameOnEveryRoute(TensorRoute route)
    {
        var nodes = new GraphBuilder("a number, a text");
        var number = nodes.Input("number", DataType.Int64, Dimension.Rows);
        nodes.Output("negative", nodes.Node("Neg", [number]), DataType.Int64, Dimension.Rows);
        nodes.Output("same", nodes.Node("Identity", [nodes.Input("text", DataType.String, Dimension.Rows)]), DataType.String, Dimension.Rows);
        using var model = RowModel.Load(nodes.Build(), new RowModelSettings { StandIn = Settings(route).StandIn });
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
}

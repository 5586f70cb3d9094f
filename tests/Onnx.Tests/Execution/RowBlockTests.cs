using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RowBlockTests
{
    private const int Width = 512;

    // About 20 µs for each row on one thread, so that all ways are tried.
    private static ModelProto Product(out float[] weights)
    {
        var random = new Random(1);
        weights = [.. Enumerable.Range(0, Width * Width).Select(_ => random.NextSingle() - 0.5f)];
        var nodes = new GraphBuilder("product");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, Width);
        var y = nodes.Node("MatMul", [x, nodes.Initializer(TensorData.Create("w", weights, Width, Width))]);
        nodes.Output("y", y, DataType.Float, TensorDimension.Rows, Width);
        return nodes.Build();
    }

    [Fact]
    public void Run_CoresThatShareTheRows_GiveEveryRowItsOwnAnswer()
    {
        using var model = RowModel.Load(Product(out var weights));
        using var block = model.CreateBlock(1024);
        var random = new Random(2);
        int[] repeated = [.. Enumerable.Repeat(
            16, 5), .. Enumerable.Repeat(1, 20), .. Enumerable.Repeat(200, 20), .. Enumerable.Repeat(60, 25)];
        foreach (var count in (int[])[.. repeated, 1000, 1024, 700, 1, 33])
        {
            var rows = block.Input<float>(0).Span[..(count * Width)];
            foreach (ref var value in rows) value = random.NextSingle();

            block.Run(count);

            // The first, the last, and those on both sides of every place where it may have been cut.
            var results = block.Output<float>(0).Span;
            foreach (var row in (int[])[0, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, count - 1])
            {
                if (row >= count) continue;
                for (var column = 0; column < Width; column += 101)
                {
                    var expected = 0.0;
                    for (var i = 0; i < Width; i++) expected += rows[(row * Width) + i] * (double)weights[(i * Width) + column];
                    Assert.Equal(expected, results[(row * Width) + column], 1e-3);
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public void Run_ThreadsGiven_StaysWithThem(int threads)
    {
        using var model = RowModel.Load(Product(out _), new RowModelSettings { Run = new() { Threads = threads } });
        using var block = model.CreateBlock(64);
        block.Input<float>(0).Span.Fill(1);

        for (var run = 0; run < 30; run++) block.Run(64);

        Assert.Equal(block.Output<float>(0).Span[0], block.Output<float>(0).Span[63 * Width], 1e-3f);
    }

    [Fact]
    public void Run_AgainAndAgain_AllocatesNothing()
    {
        using var model = RowModel.Load(Product(out _), new RowModelSettings { Run = new() { Threads = 1 } });
        using var block = model.CreateBlock(512);
        // While the first runs tell which way is the fastest, another way may be set up.
        for (var run = 0; run < 200; run++) block.Run(512);

        // And once more where one was quicker than any before.
        var allocated = Enumerable.Range(0, 10).Select(_ =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var run = 0; run < 20; run++) block.Run(512);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }).ToArray();

        Assert.True(allocated.Count(bytes => bytes == 0) >= 8, string.Join(", ", allocated));
    }
}

using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class ScorerTests
{
    // sum = x·[1, 2, 3], twice = 2·x
    private static ModelProto SumAndTwice()
    {
        var nodes = new GraphBuilder("sum and twice");
        var x = nodes.Input("x", DataType.Float, Dimension.Rows, 3);
        var weights = nodes.Initializer(TensorData.Create("weights", [1f, 2f, 3f], 3, 1));
        nodes.Output("sum", nodes.Node("MatMul", [x, weights]), DataType.Float, Dimension.Rows, 1);
        nodes.Output("twice", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, Dimension.Rows, 3);
        return nodes.Build();
    }

    [Fact]
    public void Score_OneRow_GivesTheOutputsOneBehindTheOther()
    {
        using var scorer = Scorer.Load(SumAndTwice());
        Assert.Equal((3, 4), (scorer.RowLength, scorer.ResultLength));
        var result = new float[4];
        scorer.Score([1, 10, 100], result);
        Assert.Equal([321f, 2f, 20f, 200f], result);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(23)]
    public void ScoreBatch_AnyCount_GivesOutputByOutput(int count)
    {
        using var scorer = Scorer.Load(SumAndTwice(), new ScorerSettings { BatchSize = 4 });
        var rows = Enumerable.Range(0, count * 3).Select(i => (float)i).ToArray();
        var result = new float[count * 4];
        scorer.ScoreBatch(rows, count, result);
        for (var row = 0; row < count; row++)
        {
            Assert.Equal(rows[3 * row] + (2 * rows[(3 * row) + 1]) + (3 * rows[(3 * row) + 2]), result[row]);
            for (var i = 0; i < 3; i++) Assert.Equal(2 * rows[(3 * row) + i], result[count + (3 * row) + i]);
        }
    }

    [Fact]
    public void Score_OutputsChosen_ComputesOnlyThose()
    {
        using var scorer = Scorer.Load(SumAndTwice(), new ScorerSettings { Outputs = ["twice"] });
        var result = new float[3];
        scorer.Score([1, 2, 3], result);
        Assert.Equal([2f, 4f, 6f], result);
    }

    [Fact]
    public void Score_AfterTheFirstCalls_AllocatesNothing()
    {
        using var scorer = Scorer.Load(SumAndTwice());
        float[] row = [1, 2, 3];
        var result = new float[4];
        for (var i = 0; i < 100; i++) scorer.Score(row, result);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) scorer.Score(row, result);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void ScoreBatch_AfterTheFirstCall_AllocatesNothing()
    {
        using var scorer = Scorer.Load(SumAndTwice());
        var rows = new float[3 * 300];
        var result = new float[4 * 300];
        for (var i = 0; i < 10; i++) scorer.ScoreBatch(rows, 300, result);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) scorer.ScoreBatch(rows, 300, result);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Score_ManyThreads_EachGetsItsOwnAnswer()
    {
        using var scorer = Scorer.Load(SumAndTwice());
        Parallel.For(0, 8, thread =>
        {
            var result = new float[4];
            for (var i = 0; i < 500; i++)
            {
                scorer.Score([thread, i, 1], result);
                Assert.Equal(thread + (2f * i) + 3, result[0]);
            }
        });
    }

    [Fact]
    public void Score_WrongLengths_SaysBoth()
    {
        using var scorer = Scorer.Load(SumAndTwice());
        var row = Assert.Throws<ArgumentException>(() => scorer.Score([1, 2], new float[4]));
        Assert.Contains("1 row(s) of 3 features need 3 numbers, but 2 were given", row.Message, StringComparison.Ordinal);
        var result = Assert.Throws<ArgumentException>(() => scorer.Score([1, 2, 3], new float[2]));
        Assert.Contains("need room for 4 numbers", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ModelWithTwoInputs_SaysWhatWasExpected()
    {
        var nodes = new GraphBuilder("two inputs");
        var sum = nodes.Node("Add", [nodes.Input("a", DataType.Float, "N", 2), nodes.Input("b", DataType.Float, "N", 2)]);
        nodes.Output("sum", sum, DataType.Float, "N", 2);
        var exception = Assert.Throws<InvalidModelException>(() => Scorer.Load(nodes.Build()));
        Assert.Contains("a: Float[N, 2]; b: Float[N, 2]", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NoSuchOutput_ListsTheOutputs()
    {
        var exception = Assert.Throws<InvalidModelException>(() => Scorer.Load(SumAndTwice(), new ScorerSettings { Outputs = ["thrice"] }));
        Assert.Contains("no output 'thrice'; its outputs are sum, twice", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_AfterDispose_Throws()
    {
        var scorer = Scorer.Load(SumAndTwice());
        scorer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scorer.Score([1, 2, 3], new float[4]));
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class ScoringCallTests
{
    // scaled = a·b (b has one column), total = the sum of a's columns
    private static ModelProto TwoInputs()
    {
        var nodes = new GraphBuilder("two inputs");
        var a = nodes.Input("a", DataType.Float, TensorDimension.Rows, 2);
        var b = nodes.Input("b", DataType.Float, TensorDimension.Rows, 1);
        nodes.Output("scaled", nodes.Node("Mul", [a, b]), DataType.Float, TensorDimension.Rows, 2);
        var ones = nodes.Initializer(TensorData.Create("ones", [1f, 1f], 2, 1));
        nodes.Output("total", nodes.Node("MatMul", [a, ones]), DataType.Float, TensorDimension.Rows, 1);
        return nodes.Build();
    }

    [Fact]
    public void Run_NamedInputs_GivesNamedOutputs()
    {
        using var scorer = OnnxScorer.Load(TwoInputs());
        foreach (var rows in (int[])[1, 3, 3, 3, 20])
        {
            using var call = scorer.Rent(rows);
            Assert.Equal((rows * 2, rows), (call.Input("a").Length, call.Input("b").Length));
            for (var i = 0; i < rows * 2; i++) call.Input("a")[i] = i + 1;
            call.Input("b").Fill(rows);
            call.Run();
            Assert.Equal(Enumerable.Range(1, rows * 2).Select(i => (float)i * rows), call.Output("scaled").ToArray());
            Assert.Equal(Enumerable.Range(0, rows).Select(row => (4f * row) + 3), call.Output("total").ToArray());
        }
    }

    [Fact]
    public void Score_SeveralInputs_TakesThemOneBehindTheOther()
    {
        using var scorer = OnnxScorer.Load(TwoInputs());
        Assert.Equal((3, 3), (scorer.RowLength, scorer.ResultLength));
        var result = new float[3];
        scorer.Score([1, 2, 10], result);
        Assert.Equal([10f, 20f, 3f], result);
        var results = new float[6];
        scorer.ScoreBatch([1, 2, 3, 4, 10, 100], 2, results);
        Assert.Equal([10f, 20f, 300f, 400f, 3f, 7f], results);
    }

    [Fact]
    public void Run_AfterTheFirstCalls_AllocatesNothing()
    {
        using var scorer = OnnxScorer.Load(TwoInputs());
        for (var i = 0; i < 10; i++) Call(scorer);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Call(scorer);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Call(OnnxScorer scorer)
        {
            using var call = scorer.Rent(5);
            call.Input("a").Fill(1);
            call.Input("b").Fill(2);
            call.Run();
            if (call.Output("scaled")[0] != 2) throw new InvalidOperationException();
        }
    }

    [Fact]
    public void Input_NoSuchName_ListsTheNames()
    {
        using var scorer = OnnxScorer.Load(TwoInputs());
        var exception = Assert.Throws<ArgumentException>(() =>
        {
            using var call = scorer.Rent(1);
            call.Input("c");
        });
        Assert.Contains("no input 'c'; the inputs are a, b", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dispose_ByTwoCopies_GivesTheBuffersBackOnce()
    {
        using var scorer = OnnxScorer.Load(TwoInputs());
        var call = scorer.Rent(1);
        var copy = call;
        call.Dispose();
        copy.Dispose();
        using var first = scorer.Rent(1);
        using var second = scorer.Rent(1);
        first.Input("b")[0] = 1;
        second.Input("b")[0] = 2;
        Assert.Equal(1, first.Input("b")[0]);
        var over = false;
        try
        {
            copy.Run();
        }
        catch (ObjectDisposedException)
        {
            over = true;
        }

        Assert.True(over);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1025)]
    public void Begin_TooFewOrTooManyRows_Throws(int rows)
    {
        using var scorer = OnnxScorer.Load(TwoInputs(), new OnnxScorerOptions { BatchSize = 1024 });
        Assert.Throws<ArgumentOutOfRangeException>(() => scorer.Rent(rows));
    }
}

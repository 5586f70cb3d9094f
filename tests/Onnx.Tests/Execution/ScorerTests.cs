using Google.Protobuf;
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
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 3);
        var weights = nodes.Initializer(TensorData.Create("weights", [1f, 2f, 3f], 3, 1));
        nodes.Output("sum", nodes.Node("MatMul", [x, weights]), DataType.Float, TensorDimension.Rows, 1);
        nodes.Output("twice", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, TensorDimension.Rows, 3);
        return nodes.Build();
    }

    [Fact]
    public void Score_OneRow_GivesTheOutputsOneBehindTheOther()
    {
        using var scorer = OnnxScorer.Load(SumAndTwice());
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
        using var scorer = OnnxScorer.Load(SumAndTwice(), new OnnxScorerOptions { BatchSize = 4 });
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
    public void Score_IntoNewArrays_OutputsAreFoundByName()
    {
        using var stream = new MemoryStream(SumAndTwice().ToByteArray());
        using var scorer = OnnxScorer.Load(stream);
        Assert.Equal([321f, 2f, 20f, 200f], scorer.Score([1, 10, 100]));
        var result = scorer.ScoreBatch([1, 10, 100, 2, 0, 0]);
        Assert.Equal([321f, 2f], scorer.Output("sum", result));
        Assert.Equal([2f, 20f, 200f, 4f, 0f, 0f], scorer.Output("twice", result));
        Assert.Throws<ArgumentException>(() => scorer.ScoreBatch([1, 10, 100, 2]));
        Assert.Throws<ArgumentException>(() => scorer.Output("twice", new float[5]).Length);
        Assert.Contains(
            "the outputs are sum, twice", Assert.Throws<ArgumentException>(() => scorer.Output("thrice", result).Length).Message);
    }

    [Fact]
    public void Score_OutputsChosen_ComputesOnlyThose()
    {
        using var scorer = OnnxScorer.Load(SumAndTwice(), new OnnxScorerOptions { Outputs = ["twice"] });
        var result = new float[3];
        scorer.Score([1, 2, 3], result);
        Assert.Equal([2f, 4f, 6f], result);
    }

    [Fact]
    public void Score_AfterTheFirstCalls_AllocatesNothing()
    {
        using var scorer = OnnxScorer.Load(SumAndTwice());
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
        using var scorer = OnnxScorer.Load(SumAndTwice());
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
        using var scorer = OnnxScorer.Load(SumAndTwice());
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

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(3)]
    public void Load_FromAFileThatGoesAway_ScoresOnAllSessions(int? sessions)
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.onnx");
        ModelFile.Write(SumAndTwice(), path);
        using var scorer = OnnxScorer.Load(path, new OnnxScorerOptions { Sessions = sessions });
        File.Delete(path);
        using var first = scorer.Rent(1);
        using var second = scorer.Rent(1);
        using var third = scorer.Rent(1);
        first.Input(0).Fill(1);
        second.Input(0).Fill(2);
        third.Input(0).Fill(3);
        third.Run();
        second.Run();
        first.Run();
        Assert.Equal([6f, 12f, 18f], [first.Output("sum")[0], second.Output("sum")[0], third.Output("sum")[0]]);
    }

    [Fact]
    public void Score_WrongLengths_SaysBoth()
    {
        using var scorer = OnnxScorer.Load(SumAndTwice());
        var row = Assert.Throws<ArgumentException>(() => scorer.Score([1, 2], new float[4]));
        Assert.Contains("1 row(s) of 3 features need 3 numbers, but 2 were given", row.Message, StringComparison.Ordinal);
        var result = Assert.Throws<ArgumentException>(() => scorer.Score([1, 2, 3], new float[2]));
        Assert.Contains("need room for 4 numbers", result.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(OnnxElementType.Double, "N", 2)]
    [InlineData(OnnxElementType.Float, "N", "M")]
    public void Load_InputsThatHoldNoRows_SaysWhatWasExpected(OnnxElementType element, string rows, object columns)
    {
        var type = (DataType)element;
        var nodes = new GraphBuilder("no rows");
        var width = columns is int size ? size : (TensorDimension)(string)columns;
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("a", type, rows, width)]), type, rows, width);
        var exception = Assert.Throws<InvalidModelException>(() => OnnxScorer.Load(nodes.Build()));
        Assert.Contains($"inputs are a: {type}[N, {columns}]", exception.Message, StringComparison.Ordinal);
        Assert.Contains("float32", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ModelThatFailsOnEveryRow_IsAnInvalidModel()
    {
        var nodes = new GraphBuilder("reshape to nowhere");
        var shape = nodes.Initializer(TensorData.Create("shape", [7L], 1));
        nodes.Output("y", nodes.Node("Reshape", [nodes.Input("x", DataType.Float, "N", 2), shape]), DataType.Float, "M");
        var exception = Assert.Throws<InvalidModelException>(() => OnnxScorer.Load(nodes.Build()));
        Assert.Contains("does not score a row of zeros", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    // Whoever exported it tried one row, and asks for no more.
    [Fact]
    public void Score_OutputThatIsDeclaredToHaveOneRow_ScoresOne()
    {
        var nodes = new GraphBuilder("declared to have one row");
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("x", DataType.Float, "N", 2)]), DataType.Float, 1, 2);
        using var scorer = OnnxScorer.Load(nodes.Build());
        var result = new float[4];
        scorer.Score([1, 2], result);
        Assert.Equal([-1f, -2], result[..2]);
        Assert.Throws<ModelRunException>(() => scorer.ScoreBatch([1, 2, 3, 4], 2, result));
    }

    [Theory]
    [InlineData("")]
    [InlineData("this is no model")]
    public void Load_BytesThatAreNoModel_IsAnInvalidModel(string text) =>
        Assert.DoesNotContain(
            '\n', Assert.Throws<InvalidModelException>(() => OnnxScorer.Load(System.Text.Encoding.ASCII.GetBytes(text))).Message);

    [Fact]
    public void Load_NoSuchOutput_ListsTheOutputs()
    {
        var exception = Assert.Throws<InvalidModelException>(
            () => OnnxScorer.Load(SumAndTwice(), new OnnxScorerOptions { Outputs = ["thrice"] }));
        Assert.Contains("no output 'thrice'; its outputs are sum, twice", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ScoreBatch_SizesThatChange_GiveTheSameAsRowByRow()
    {
        using var scorer = OnnxScorer.Load(SumAndTwice(), new OnnxScorerOptions { BatchSize = 256, Outputs = ["sum"] });
        var random = new Random(1);
        var rows = Enumerable.Range(0, 1000 * 3).Select(_ => random.NextSingle()).ToArray();
        var expected = new float[1000];
        for (var row = 0; row < 1000; row++) scorer.Score(rows.AsSpan(row * 3, 3), expected.AsSpan(row, 1));
        foreach (var count in (int[])[1,
            15, 16, 17, 18, 31, 32, 33, 33, 33, 34, 100, 255, 256, 257, 255, 255, 600, 999, 999, 999, 1000, 2, 2, 2])
        {
            var actual = new float[count + 1];
            actual[count] = -1;
            scorer.ScoreBatch(rows.AsSpan(0, count * 3), count, actual);
            for (var row = 0; row < count; row++) Assert.Equal(expected[row], actual[row], 1e-5f);
            Assert.Equal(-1, actual[count]);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(2000)]
    [InlineData(3000)]
    public void ScoreBatch_SameMemoryAgain_ReadsWhatIsInItNow(int count)
    {
        using var scorer = OnnxScorer.Load(SumAndTwice(), new OnnxScorerOptions { BatchSize = 2000 });
        var rows = GC.AllocateArray<float>(count * 3, pinned: true);
        var result = GC.AllocateArray<float>(count * 4, pinned: true);
        for (var call = 0; call < 5; call++)
        {
            for (var i = 0; i < rows.Length; i++) rows[i] = i + (100 * call);
            scorer.ScoreBatch(rows, count, result);
            for (var row = 0; row < count; row++)
            {
                Assert.Equal(rows[3 * row] + (2 * rows[(3 * row) + 1]) + (3 * rows[(3 * row) + 2]), result[row]);
                for (var i = 0; i < 3; i++) Assert.Equal(2 * rows[(3 * row) + i], result[count + (3 * row) + i]);
            }
        }
    }

    [Fact]
    public void Score_ModelOfAFixedBatch_FillsUpWhatIsMissing()
    {
        var nodes = new GraphBuilder("four at a time");
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("x", DataType.Float, 4, 2)]), DataType.Float, 4, 2);
        using var scorer = OnnxScorer.Load(nodes.Build());
        Assert.Equal((4, 2), (scorer.BatchSize, scorer.RowLength));
        var one = new float[2];
        scorer.Score([1, 2], one);
        Assert.Equal([-1f, -2f], one);
        foreach (var count in (int[])[3, 4, 8, 10])
        {
            var rows = Enumerable.Range(0, count * 2).Select(i => (float)i).ToArray();
            var result = new float[count * 2];
            for (var call = 0; call < 3; call++) scorer.ScoreBatch(rows, count, result);
            Assert.Equal(rows.Select(value => -value), result);
        }
    }

    [Fact]
    public void BatchSize_LongRows_IsLowered()
    {
        var nodes = new GraphBuilder("images");
        nodes.Output(
            "y", nodes.Node("GlobalAveragePool", [nodes.Input("x", DataType.Float, "N", 3, 512, 512)]), DataType.Float, "N", 3, 1, 1);
        using var scorer = OnnxScorer.Load(nodes.Build());
        Assert.Equal(16, scorer.BatchSize);
        Assert.Equal([3L, 512, 512], scorer.RowShape);
    }

    [Fact]
    public void Score_AfterDispose_Throws()
    {
        var scorer = OnnxScorer.Load(SumAndTwice());
        scorer.Dispose();
        scorer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scorer.Score([1, 2, 3], new float[4]));
        Assert.Throws<ObjectDisposedException>(() => scorer.ScoreBatch([1, 2, 3], 1, new float[4]));
        Assert.Throws<ObjectDisposedException>(() => scorer.Rent(1));
    }
}

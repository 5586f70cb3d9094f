using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Execution.Sharing;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class BatchRunsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void Score_DividedAmongThreads_GivesEveryRowItsOwnAnswer(int count)
    {
        using var session = OnnxSession.Load(TwiceAndNext(TensorDimension.Rows));
        using var runs = new BatchRuns(session, RowLayout.OfNumbers(session, new RowModelSettings()), workers: 3);

        // Also in the caller's memory, when it comes again, and with chunks that change.
        foreach (var most in (int[])[64, 64, 64, 64, 32, 64, 4096])
            AssertRight(count, (rows, result) => runs.Score(rows, count, result, Divided(most, sharing: 3)));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(100)]
    public void Score_ModelOfAFixedBatch_IsDividedIntoItsBatches(int count)
    {
        using var session = OnnxSession.Load(TwiceAndNext(8));
        using var runs = new BatchRuns(session, RowLayout.OfNumbers(session, new RowModelSettings()), workers: 2);

        for (var call = 0; call < 4; call++)
            AssertRight(count, (rows, result) => runs.Score(rows, count, result, Divided(64, sharing: 2)));
    }

    [Fact]
    public void Score_DividedAgainAndAgain_AllocatesNothing()
    {
        using var session = OnnxSession.Load(TwiceAndNext(TensorDimension.Rows));
        using var runs = new BatchRuns(session, RowLayout.OfNumbers(session, new RowModelSettings()), workers: 2);
        var (rows, result, decision) = (new float[3 * 5000], new float[5 * 5000], Divided(512, sharing: 2));
        for (var call = 0; call < 20; call++) runs.Score(rows, 5000, result, decision);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var call = 0; call < 200; call++) runs.Score(rows, 5000, result, decision);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Score_ScorerThatIsFreeToChoose_IsRightWhateverItTries()
    {
        // About 0.3 ms for 64 rows and 20 ms for 4096 on one thread, so that all ways are tried.
        var (random, width) = (new Random(1), 512);
        var nodes = new GraphBuilder("product");
        var weights = Enumerable.Range(0, width * width).Select(_ => random.NextSingle() - 0.5f).ToArray();
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, width);
        nodes.Output("y", nodes.Node(
            "MatMul", [x, nodes.Initializer(TensorData.Create("w", weights, width, width))]), DataType.Float, TensorDimension.Rows, width);
        using var scorer = OnnxScorer.Load(nodes.Build());
        var rows = Enumerable.Range(0, 4096 * width).Select(_ => random.NextSingle()).ToArray();
        var expected = new float[4096 * width];
        for (var row = 0; row < 4096; row++) scorer.Score(rows.AsSpan(row * width, width), expected.AsSpan(row * width, width));
        var actual = new float[4096 * width];

        foreach (var (count, calls) in ((int, int)[])[(4, 25), (48, 25), (200, 20), (4096, 3)])
        {
            for (var call = 0; call < calls; call++)
            {
                Array.Clear(actual);
                scorer.ScoreBatch(rows.AsSpan(0, count * width), count, actual);
                for (var i = 0; i < count * width; i++) Assert.Equal(expected[i], actual[i], 1e-4f);
            }
        }
    }

    [Fact]
    public void Score_ReproducibleScorer_GivesTheSameDigitsWhateverItHasMeasured()
    {
        var (random, width) = (new Random(2), 384);
        var nodes = new GraphBuilder("product and sigmoid");
        var weights = Enumerable.Range(0, width * width).Select(_ => random.NextSingle() - 0.5f).ToArray();
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, width);
        var product = nodes.Node("MatMul", [x, nodes.Initializer(TensorData.Create("w", weights, width, width))]);
        nodes.Output("y", nodes.Node("Sigmoid", [product]), DataType.Float, TensorDimension.Rows, width);
        using var scorer = OnnxScorer.Load(
            nodes.Build(), new OnnxScorerOptions { Engine = ScoringEngine.OnnxRuntime, IsReproducible = true });
        var rows = Enumerable.Range(0, 700 * width).Select(_ => random.NextSingle()).ToArray();

        foreach (var (count, calls) in ((int, int)[])[(2, 40), (3, 40), (33, 30), (257, 10), (700, 10)])
        {
            var (expected, actual) = (new float[count * width], new float[count * width]);
            scorer.ScoreBatch(rows.AsSpan(0, count * width), count, expected);
            for (var call = 0; call < calls; call++)
            {
                scorer.ScoreBatch(rows.AsSpan(0, count * width), count, actual);
                Assert.Equal(expected, actual);
            }
        }
    }

    private static RunDecision Divided(int most, int sharing) =>
        new() { Way = RunWay.Divided, IsOwn = true, Most = most, Sharing = sharing, Pace = new RowPace() };

    private static ModelProto TwiceAndNext(TensorDimension rows)
    {
        var nodes = new GraphBuilder("twice and next");
        var x = nodes.Input("x", DataType.Float, rows, 3);
        nodes.Output("twice", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, rows, 3);
        var next = nodes.Node(
            "Add", [nodes.Node("MatMul", [x, nodes.Initializer(TensorData.Create("w", [1f, 0, 0, 1, 0, 0], 3, 2))]), nodes.Constant(1)]);
        nodes.Output("next", next, DataType.Float, rows, 2);
        return nodes.Build();
    }

    private static void AssertRight(int count, Action<float[], float[]> score)
    {
        var rows = Enumerable.Range(0, 3 * count).Select(i => (float)i).ToArray();
        var result = new float[(5 * count) + 1];
        result[^1] = -1;
        score(rows, result);
        for (var i = 0; i < 3 * count; i++) Assert.Equal(2 * rows[i], result[i]);
        for (var row = 0; row < count; row++)
        {
            Assert.Equal(rows[3 * row] + 1, result[(3 * count) + (2 * row)]);
            Assert.Equal(rows[(3 * row) + 1] + 1, result[(3 * count) + (2 * row) + 1]);
        }

        Assert.Equal(-1, result[^1]);
    }
}

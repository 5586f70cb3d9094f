using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Whole networks that a scorer evaluates directly, beside ONNX Runtime.</summary>
public sealed class DirectNetworkTests
{
    private static readonly OnnxScorerOptions Direct = new() { Engine = ScoringEngine.Direct };
    private static readonly OnnxScorerOptions Runtime = new() { Engine = ScoringEngine.OnnxRuntime };

    private static ModelProto Dense(params int[] sizes) => DirectCase.Model(
        sizes[0],
        (nodes, x) =>
        {
            for (var i = 1; i < sizes.Length; i++)
            {
                x = nodes.Node("Gemm", [x, DirectCase.Weights(nodes, sizes[i - 1], sizes[i]), DirectCase.Weights(nodes, sizes[i])]);
                x = nodes.Node(i + 1 < sizes.Length ? "Relu" : "Sigmoid", [x]);
            }

            return x;
        },
        sizes[^1]);

    // y = table[x₀] and 2·x₁: an embedding beside a number.
    private static ModelProto Embedding()
    {
        var nodes = new GraphBuilder("embedding");
        var x = nodes.Input("x", DataType.Float, "N", 2);
        var index = nodes.Node("Cast", [nodes.Node("Gather", [x, nodes.Integers(0)], ("axis", 1))], ("to", 7));
        var embedded = nodes.Node(
            "Reshape", [nodes.Node("Gather", [DirectCase.Weights(nodes, 5, 3), index], ("axis", 0)), nodes.Integers(-1, 3)]);
        var number = nodes.Node("Mul", [nodes.Node("Gather", [x, nodes.Integers(1)], ("axis", 1)), nodes.Constant(2)]);
        nodes.Output("y", nodes.Node("Concat", [embedded, number], ("axis", 1)), DataType.Float, "N", 4);
        return nodes.Build();
    }

    private static ModelProto TwoInputs()
    {
        var nodes = new GraphBuilder("two inputs");
        var (a, b) = (nodes.Input("a", DataType.Float, "N", 3), nodes.Input("b", DataType.Float, "N", 2));
        nodes.Output("sum", nodes.Node("Add", [nodes.Node("MatMul", [a, DirectCase.Weights(nodes, 3, 2)]), b]), DataType.Float, "N", 2);
        nodes.Output("twice", nodes.Node("Mul", [a, nodes.Constant(2)]), DataType.Float, "N", 3);
        nodes.Output("same", nodes.Node("Identity", [b]), DataType.Float, "N", 2);
        return nodes.Build();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(3, true)]
    public void Members_OfAnEnsemble_AsOnnxRuntime(int results, bool byConv)
    {
        var model = MembersModel.Create(8, 20, 4, 32, results, byConv);
        DirectCase.RequireAgreement(model, DirectCase.Rows(200, 8), 8, units: 4);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(1e30f)]
    public void Members_UnusualNumber_AsOnnxRuntime(float number)
    {
        var rows = DirectCase.Rows(8, 8);
        for (var row = 0; row < 8; row++) rows[(row * 8) + row] = number;
        DirectCase.RequireAgreement(MembersModel.Create(8, 20, 4, 32, 1), rows, 8, units: 4);
    }

    // At the edges of the bins, and a bit beside them.
    [Fact]
    public void Members_NumbersAtTheEdges_AsOnnxRuntime()
    {
        var model = MembersModel.Create(4, 30, 2, 16, 2);
        var edges = TensorData.ToFloats(model.Graph.Initializer.Single(tensor => tensor.Name == "lower"));
        var rows = new List<float>();
        for (var i = 0; i < 30; i++)
            foreach (var move in (Func<float, float>[])[edge => edge, MathF.BitDecrement, MathF.BitIncrement])
                for (var feature = 0; feature < 4; feature++) rows.Add(move(edges[(feature * 30) + i]));
        DirectCase.RequireAgreement(model, [.. rows], 4, units: 4);
    }

    [Fact]
    public void Lines_ThatOverlap_AreMultipliedOneByOne()
    {
        var model = MembersModel.Create(4, 30, 2, 16, 2);
        var lower = model.Graph.Initializer.Single(tensor => tensor.Name == "lower");
        var edges = TensorData.ToFloats(lower);
        for (var i = 0; i < edges.Length; i++) edges[i] = -edges[i] / 2;
        lower.RawData = TensorData.Create("lower", edges, edges.Length).RawData;
        DirectCase.RequireAgreement(model, DirectCase.Rows(64, 4), 4, units: 8);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(17)]
    [InlineData(3000)]
    public void Score_AnyNumberOfRows_AsOnnxRuntime(int count)
    {
        var model = Dense(20, 48, 33, 3);
        using var direct = OnnxScorer.Load(model, Direct);
        using var runtime = OnnxScorer.Load(model, Runtime);
        Assert.Equal((ScoringEngine.Direct, ScoringEngine.OnnxRuntime), (direct.Engine, runtime.Engine));
        var rows = DirectCase.Rows(count, 20);
        var (actual, expected) = (direct.ScoreBatch(rows), runtime.ScoreBatch(rows));
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 4e-7f);
        Assert.Equal(actual, direct.ScoreBatch(rows));
    }

    [Fact]
    public void Rent_SeveralInputsAndOutputs_AsOnnxRuntime()
    {
        using var direct = OnnxScorer.Load(TwoInputs(), Direct);
        using var runtime = OnnxScorer.Load(TwoInputs(), Runtime);
        var rows = DirectCase.Rows(5, 5);
        var (expected, actual) = (runtime.ScoreBatch(rows), direct.ScoreBatch(rows));
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 2e-7f);
        using var call = direct.Rent(5);
        rows.AsSpan(0, 15).CopyTo(call.Input("a"));
        rows.AsSpan(15).CopyTo(call.Input("b"));
        call.Run();
        foreach (var output in (string[])["sum", "twice", "same"])
            Assert.Equal(direct.Output(output, actual).ToArray(), call.Output(output).ToArray());
    }

    [Fact]
    public void Score_OutputsChosen_NeedsOnlyTheirNodes()
    {
        var model = TwoInputs();
        model.Graph.Node.Add(new NodeProto { OpType = "Hardmax", Input = { "a" }, Output = { "unknown" } });
        model.Graph.Output.Add(ValueInfo.Of("unknown", DataType.Float, "N", 3));
        using var scorer = OnnxScorer.Load(model, Direct with { Outputs = ["twice"] });
        Assert.Equal([2f, 4f, 6f], scorer.Score([1, 2, 3, 4, 5]));
        var failure = Assert.Throws<InvalidModelException>(() => OnnxScorer.Load(model, Direct));
        Assert.Contains("Hardmax 'unknown': an operator that is not known here", failure.Message);
        using var chosen = OnnxScorer.Load(model);
        Assert.Equal(ScoringEngine.OnnxRuntime, chosen.Engine);
        Assert.StartsWith("ONNX Runtime: Hardmax 'unknown'", chosen.EngineReport);
    }

    [Fact]
    public void Score_IndexIntoATable_FindsItsRowOrFailsAsOnnxRuntime()
    {
        using var direct = OnnxScorer.Load(Embedding(), Direct);
        using var runtime = OnnxScorer.Load(Embedding(), Runtime);
        foreach (var index in (float[])[0, 1.9f, 4, -1, -5]) Assert.Equal(runtime.Score([index, 3]), direct.Score([index, 3]));
        foreach (var index in (float[])[5, -6, float.NaN, 1e20f])
        {
            var expected = Assert.Throws<ModelRunException>(() => runtime.Score([index, 3]));
            Assert.Equal(expected.Message, Assert.Throws<ModelRunException>(() => direct.Score([index, 3])).Message);
            Assert.Throws<ModelRunException>(() => direct.ScoreBatch([0, 1, index, 3]));
        }

        Assert.Equal(runtime.Score([2, 3]), direct.Score([2, 3]));
    }

    [Fact]
    public void Score_IntoTheRowsThemselves_AsElsewhere()
    {
        var model = Dense(8, 16, 8);
        using var direct = OnnxScorer.Load(model, Direct);
        foreach (var count in (int[])[1, 7, 400])
        {
            var rows = DirectCase.Rows(count, 8);
            var expected = direct.ScoreBatch(rows);
            if (count == 1) direct.Score(rows, rows);
            else direct.ScoreBatch(rows, count, rows);
            for (var i = 0; i < rows.Length; i++) Assert.Equal(expected[i], rows[i], 4e-7f);
        }
    }

    [Fact]
    public void Score_AfterTheFirstCalls_AllocatesNothing()
    {
        using var scorer = OnnxScorer.Load(MembersModel.Create(8, 20, 4, 32, 1), Direct);
        var rows = DirectCase.Rows(2000, 8);
        var results = new float[2000];
        for (var i = 0; i < 20; i++) Score();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 50; i++) Score();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Score()
        {
            scorer.Score(rows.AsSpan(0, 8), results);
            scorer.ScoreBatch(rows.AsSpan(0, 40), 5, results);
            scorer.ScoreBatch(rows, 2000, results);
            using var call = scorer.Rent(3);
            call.Run();
        }
    }

    [Fact]
    public void Score_ManyThreads_EachGetsItsOwnAnswer()
    {
        using var scorer = OnnxScorer.Load(Dense(4, 16, 1), Direct);
        var rows = DirectCase.Rows(64, 4);
        var expected = Enumerable.Range(0, 64).Select(row => scorer.Score(rows.AsSpan(row * 4, 4))[0]).ToArray();
        Parallel.For(0, 8, _ =>
        {
            var result = new float[64];
            for (var i = 0; i < 500; i++)
            {
                scorer.Score(rows.AsSpan(i % 64 * 4, 4), result);
                Assert.Equal(expected[i % 64], result[0]);
                scorer.ScoreBatch(rows, 64, result);
                Assert.Equal(expected[i % 64], result[i % 64], 1e-6f);
            }
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5000)]
    public async Task Dispose_WhileOthersScore_EachGetsItsAnswerOrIsTold(int count)
    {
        var model = Dense(4, 16, 1);
        var rows = DirectCase.Rows(count, 4);
        for (var round = 0; round < 5; round++)
        {
            var scorer = OnnxScorer.Load(model, Direct);
            var expected = scorer.ScoreBatch(rows)[^1];
            using var started = new CountdownEvent(3);
            var scoring = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
            {
                var results = new float[count];
                started.Signal();
                try
                {
                    while (true)
                    {
                        scorer.ScoreBatch(rows, count, results);
                        if (Math.Abs(results[^1] - expected) > 1e-6f) return false;
                    }
                }
                catch (ObjectDisposedException)
                {
                    return true;
                }
            })).ToArray();
            started.Wait();
            scorer.Dispose();
            Assert.All(await Task.WhenAll(scoring), Assert.True);
        }
    }

    [Fact]
    public void Load_LargeNetwork_StaysWithOnnxRuntimeUnlessItIsForced()
    {
        var model = DirectCase.Model(
            512, (nodes, x) => nodes.Node("Relu", [nodes.Node("MatMul", [x, DirectCase.Weights(nodes, 512, 1024)])]), 1024);
        using var chosen = OnnxScorer.Load(model);
        Assert.Contains("a row takes 524,288 multiplications", chosen.EngineReport);
        using var forced = OnnxScorer.Load(model, Direct);
        Assert.Equal(ScoringEngine.Direct, forced.Engine);
    }

    [Fact]
    public void Load_Reproducible_SingleRowsAndBatchesAgreeToTheLastDigit()
    {
        var reproducible = new OnnxScorerOptions { Engine = ScoringEngine.Reproducible };
        using var first = OnnxScorer.Load(Dense(20, 48, 33, 3), reproducible);
        using var second = OnnxScorer.Load(Dense(20, 48, 33, 3), reproducible);
        using var larger = OnnxScorer.Load(Dense(20, 512, 256, 3), reproducible);
        var rows = DirectCase.Rows(700, 20);

        var together = first.ScoreBatch(rows);

        Assert.Equal((ScoringEngine.Direct, "this library"), (first.Engine, first.EngineReport));
        for (var row = 0; row < 700; row++)
            Assert.Equal(second.Score(rows.AsSpan(20 * row, 20)), together[(3 * row)..(3 * (row + 1))]);
        Assert.StartsWith("ONNX Runtime: a row takes 142,", larger.EngineReport);
    }

    [Fact]
    public void Load_OptimizationsSwitchedOff_StaysWithOnnxRuntime()
    {
        using var scorer = OnnxScorer.Load(Dense(4, 8, 1), new OnnxScorerOptions { Optimization = GraphOptimization.None });
        Assert.Equal("ONNX Runtime: ONNX Runtime's optimizations are switched off", scorer.EngineReport);
    }

    [Fact]
    public void Load_FixedNumberOfRows_SaysWhyItIsNotDirect()
    {
        var nodes = new GraphBuilder("fixed");
        nodes.Output("y", nodes.Node("Relu", [nodes.Input("x", DataType.Float, 2, 3)]), DataType.Float, 2, 3);
        var failure = Assert.Throws<InvalidModelException>(() => OnnxScorer.Load(nodes.Build(), Direct));
        Assert.Contains("it takes 2 row(s) at a time", failure.Message);
    }

    // Hundreds of such rows, several times, would be gigabytes.
    [Fact]
    public void Load_RowsOfTwoHundredThousandNumbers_ProvesOnAFewOfThem()
    {
        const int width = 200_000;
        var model = DirectCase.Model(width, (nodes, x) => nodes.Node("Mul", [x, nodes.Constant(2)]), width);
        var before = GC.GetAllocatedBytesForCurrentThread();

        using var scorer = OnnxScorer.Load(model, Direct);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 512 << 20);
        var row = DirectCase.Rows(1, width);
        Assert.Equal(row.Select(number => 2 * number), scorer.Score(row));
    }
}

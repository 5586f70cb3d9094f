using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Hostile;

/// <summary>
/// Small models that would take time or memory without end, each of a kind. What is counted is memory and the size of the result; that they
/// end at all is seen by the tests ending.
/// </summary>
public class CostlyModelTests
{
    [Fact]
    public void Fold_TwentyThousandIdentitiesBeforeAWeight_Folds()
    {
        var test = new FoldCase();
        var w = Chain(test, test.Weight("w", 4, 4), 20_000, x => test.Graph.Node("Identity", [x]));
        Assert.Equal(FoldStatus.Folded, Fold(test, test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 4), w]), 4)).Status);
    }

    [Fact]
    public void Fold_TwentyThousandIdentitiesAroundABatchNormalization_Ends()
    {
        var test = new FoldCase();
        var x = Chain(
            test, test.Graph.Node("MatMul", [test.Input("N", 4), test.Weight("w", 4, 4)]), 20_000, x => test.Graph.Node("Identity", [x]));
        x = Chain(test, test.BatchNorm(x, 4), 20_000, x => test.Graph.Node("Identity", [x]));
        var outcome = Fold(test, test.Graph.Node("MatMul", [x, test.Weight("v", 4, 4)]));
        Assert.Contains("nested too deeply", outcome.Reason);
    }

    [Theory]
    [InlineData("Mul", 60)]
    [InlineData("Add", 60)]
    [InlineData("Max", 60)]
    [InlineData("Concat", 24)]
    public void Fold_ValueThatIsReadTwiceManyTimesOver_Ends(string opType, int times)
    {
        // Each node doubles the ways from the batch normalization to the weights; Concat its channels, too.
        NodeArgument[] attributes = opType == "Concat" ? [("axis", 1)] : [];
        var test = new FoldCase();
        var x = Chain(test, test.BatchNorm(test.Input("N", 4), 4, positive: true), times, x => test.Graph.Node(opType, [x, x], attributes));
        Assert.NotEmpty(Fold(test, test.Graph.Node("Sigmoid", [x])).Reason);

        test = new FoldCase();
        x = Chain(
            test, test.Graph.Node("MatMul", [test.Input("N", 4), test.Weight("w", 4, 4)]), times,
            x => test.Graph.Node(opType, [x, x], attributes));
        if (opType != "Concat") Fold(test, test.BatchNorm(x, 4));
    }

    [Fact]
    public void Fold_ConstantOfNothingAndOfSizesBeyondCounting_IsLeft()
    {
        var test = new FoldCase();
        var shape = test.Graph.Integers(1L << 40, 1L << 40, 0);
        var none = test.Graph.Node("ConstantOfShape", [shape]);
        var x = test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 4), test.Weight("w", 4, 4)]), 4);
        var resized = test.Graph.Node("Resize", [x, none, test.Graph.Node("Identity", [none])], ("mode", "nearest"));
        Assert.Equal(FoldStatus.Folded, Fold(test, resized).Status);
    }

    [Fact]
    public void Fold_FiveThousandBatchNormalizationsInARow_BecomeOne()
    {
        var test = new FoldCase();
        Value[] neutral = [.. "sbmv".Select(name => test.WeightBetween(1, 1, $"{name}", 4))];
        var x = Chain(test, test.Input("N", 4), 5000, x => test.Graph.Node("BatchNormalization", [x, .. neutral]));
        test.Graph.Output("y", test.Graph.Node("MatMul", [x, test.Weight("w", 4, 4)]), DataType.Float, "N", 4);
        Assert.InRange(BatchNormFolder.Fold(test.Graph.Build()).NodesAfter, 1, 2);
    }

    [Fact]
    public void Fold_WeightThatIsOneRepeatedValueForManyLayers_StaysSmall()
    {
        var test = new FoldCase();
        var x = test.Input("N", 1000);
        for (var i = 0; i < 50; i++)
        {
            var w = test.Graph.Node("ConstantOfShape", [test.Graph.Integers(1000, 1000)]);
            x = test.BatchNorm(test.Graph.Node("MatMul", [x, w]), 1000, $"bn{i}");
        }

        StaysSmall(test, x);
    }

    [Fact]
    public void Fold_WeightThatManyLayersShare_StaysSmall()
    {
        var test = new FoldCase();
        var (x, w) = (test.Input("N", 300), test.Weight("w", 300, 300));
        for (var i = 0; i < 200; i++)
            test.Graph.Output($"z{i}", test.BatchNorm(test.Graph.Node("MatMul", [x, w]), 300, $"bn{i}"), DataType.Float, "N", 300);
        StaysSmall(test, test.BatchNorm(test.Graph.Node("MatMul", [x, w]), 300));
    }

    [Fact]
    public void Fold_WeightThatIsTransposedTwoThousandTimes_TakesNoMoreMemoryThanIsAllowed()
    {
        var test = new FoldCase();
        var w = Chain(test, test.Weight("w", 400, 400), 2000, x => test.Graph.Node("Transpose", [x]));
        var outcome = Fold(test, test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 400), w]), 400));
        Assert.Contains("computes more from constants than is worked out here", outcome.Reason);
    }

    [Fact]
    public void Fold_WeightThatIsAProductOfSixtyMatrices_IsLeftAlone()
    {
        var test = new FoldCase();
        var factor = test.Weight("w", 400, 400);
        var w = Chain(test, factor, 60, x => test.Graph.Node("MatMul", [x, factor]));
        Assert.Equal(
            FoldStatus.Declined, Fold(test, test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 400), w]), 400)).Status);
    }

    [Theory]
    [InlineData("Mul", false)]
    [InlineData("Mul", true)]
    [InlineData("Add", false)]
    [InlineData("Relu", false)]
    public void ProveFold_TenTimesTheNodes_TakesNoMoreForEach(string opType, bool behind)
    {
        Allocated(100); // once, for what is made when it is first needed
        var (few, many) = (Allocated(2_000), Allocated(20_000));
        Assert.InRange(many, 0, 12 * few);

        long Allocated(int nodes)
        {
            var test = new FoldCase();
            var x = test.Graph.Node("MatMul", [test.Input("N", 4), test.Weight("w", 4, 4)]);
            x = test.Graph.Node("Sigmoid", [x]);
            if (behind) x = test.BatchNorm(x, 4);
            var k = test.WeightBetween(1, 1, "k");
            x = Chain(test, x, nodes, x => test.Graph.Node(opType, opType == "Relu" ? [x] : [x, k]));
            if (!behind) x = test.BatchNorm(x, 4);
            test.Graph.Output("y", test.Graph.Node("Sigmoid", [x]), DataType.Float, "N", 4);
            var model = test.Graph.Build();
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Equal(opType == "Relu" ? 0 : 1, ProvenFold.Run(model, new FoldOptions()).Fold.Removed);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void Check_CycleOfTwentyThousandNodes_NamesTheFirst()
    {
        var graph = new GraphProto();
        for (var i = 0; i < 20_000; i++)
            graph.Node.Add(new NodeProto { OpType = "Abs", Input = { $"v{i}" }, Output = { $"v{(i + 1) % 20_000}" } });
        var model = new ModelProto { IrVersion = 8, Graph = graph, OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
        var message = Assert.Throws<InvalidModelException>(() => GraphChecker.Check(model)).Message;
        Assert.EndsWith("(20000 nodes).", message);
        Assert.InRange(message.Length, 0, 1000);
    }

    [Fact]
    public void Check_ShapesThatDoubleWithEachNode_TakesNoMemory()
    {
        var test = new FoldCase();
        // A vector of sizes, joined with itself sixty times, would have 2⁶⁰ elements.
        var shape = Chain(test, test.Graph.Integers(1, 1), 60, x => test.Graph.Node("Concat", [x, x], ("axis", 0)));
        Fold(test, test.BatchNorm(test.Graph.Node("Reshape", [test.Input("N", 4), shape]), 4));
    }

    [Fact]
    public void Fold_BeyondTheTimeLimit_DeclinesWithTheReason()
    {
        var test = new FoldCase();
        var outcome = Fold(
            test, test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 4), test.Weight("w", 4, 4)]), 4),
            new FoldOptions { TimeLimit = TimeSpan.Zero });
        Assert.Contains("the 0 seconds that folding may take are over", outcome.Reason);
        Assert.Contains("FoldOptions.TimeLimit", outcome.WouldFoldIf);
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(4, 7)]
    [InlineData(100, 10)]
    public void Fold_WeightThatTenLayersShare_FoldsAsManyAsMayGrow(double growth, int expected)
    {
        // 1.44 MB each, of which one takes the place of the shared one at the end, and 4 MiB are free.
        var test = new FoldCase();
        var (x, w) = (test.Input("N", 600), test.Weight("w", 600, 600));
        for (var i = 0; i < 10; i++)
            test.Graph.Output(
                $"y{i}", test.BatchNorm(test.Graph.Node("MatMul", [x, w]), 600, $"bn{i}"), DataType.Float, new TensorDimension[2]);
        var result = BatchNormFolder.Fold(test.Graph.Build(), new FoldOptions { MaximumGrowth = growth });
        Assert.Equal(expected, result.Removed);
        Assert.All(
            result.BatchNorms.Where(outcome => outcome.Status == FoldStatus.Declined),
            outcome => Assert.Contains("FoldOptions.MaximumGrowth", outcome.WouldFoldIf));
    }

    private static Value Chain(FoldCase test, Value x, int times, Func<Value, Value> next)
    {
        for (var i = 0; i < times; i++) x = next(x);
        return x;
    }

    private static BatchNormOutcome Fold(FoldCase test, Value output, FoldOptions? options = null)
    {
        test.Graph.Output("y", output, DataType.Float, new TensorDimension[2]);
        var model = test.Graph.Build();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = BatchNormFolder.Fold(model, options);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (128L << 20) + (100 * model.CalculateSize()));
        return result.BatchNorms[0];
    }

    private static void StaysSmall(FoldCase test, Value output)
    {
        test.Graph.Output("y", output, DataType.Float, new TensorDimension[2]);
        var result = BatchNormFolder.Fold(test.Graph.Build());
        Assert.InRange(result.BytesAfter, 0, (5 * result.BytesBefore) + (5 << 20));
        Assert.Contains(
            result.BatchNorms,
            outcome => outcome.Reason.Contains("the model would become more than 4 times as large", StringComparison.Ordinal));
    }
}

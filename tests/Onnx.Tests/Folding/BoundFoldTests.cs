using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>Maps that meet constant bounds (Max, Min) and constant summands (Add, Sub) on their way to the weights.</summary>
public class BoundFoldTests
{
    [Theory]
    [InlineData("Max")]
    [InlineData("Min")]
    public void Fold_BeforeABound_MovesTheBound(string bound)
    {
        var test = new FoldCase();
        var x = test.BatchNorm(test.Input(5, 4), 4, positive: true);
        var result = test.Fold(MatMul(test, test.Graph.Node(bound, [x, test.Weight("bound", 4)])));
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        Assert.Equal(1, FoldCase.Count(result.Model.Proto, bound));
    }

    [Theory]
    [InlineData("Max")]
    [InlineData("Min")]
    public void Fold_BeforeOneBoundForAll_MovesItForEachChannel(string bound)
    {
        var test = new FoldCase();
        var x = test.BatchNorm(test.Input(5, 4), 4, positive: true);
        Assert.Equal(FoldStatus.Folded, test.Fold(MatMul(test, test.Graph.Node(bound, [test.Weight("bound", 1), x]))).BatchNorms[0].Status);
    }

    [Theory]
    [InlineData("Max")]
    [InlineData("Min")]
    public void Fold_BehindABound_ScalesBoth(string bound)
    {
        var test = new FoldCase();
        var x = test.Graph.Node("MatMul", [test.Input(5, 4), test.Weight("w", 4, 3)]);
        var result = test.Fold(test.BatchNorm(test.Graph.Node(bound, [x, test.Weight("bound", 3)]), 3, positive: true));
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_NegativeScaleBeforeABound_Declines()
    {
        var test = new FoldCase();
        var x = test.BatchNorm(test.Input(5, 4), 4);
        var result = test.Fold(MatMul(test, test.Graph.Node("Max", [x, test.Weight("bound", 4)])));
        Assert.Equal(FoldStatus.Declined, result.BatchNorms[0].Status);
        Assert.Contains("would cut the other side", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BeforeABoundThatIsComputed_Declines()
    {
        var test = new FoldCase();
        var x = test.Input(5, 4);
        var result = test.Fold(MatMul(test, test.Graph.Node("Max", [test.BatchNorm(x, 4, positive: true), test.Graph.Node("Abs", [x])])));
        Assert.Contains("compares it with something that is not scaled", result.BatchNorms[0].Reason);
    }

    [Theory]
    [InlineData("Max", false)]
    [InlineData("Min", false)]
    [InlineData("Sub", false)]
    [InlineData("Sub", true)]
    [InlineData("Add", false)]
    public void Fold_ChannelThatIsScaledByZero_BecomesAShift(string opType, bool turned)
    {
        var test = new FoldCase();
        Value[] parameters =
        [
            test.Graph.Initializer(TensorData.Create("gamma", [1.5f, 0, 0.5f, 0], 4)), test.Weight("beta", 4), test.Weight("mean", 4),
            test.WeightBetween(0.5, 2, "variance", 4),
        ];
        var x = test.Graph.Node("BatchNormalization", [test.Input(5, 4), .. parameters]);
        var constant = test.Weight("constant", 4);
        var result = test.Fold(
            MatMul(test, test.Graph.Node(opType, turned ? [constant, x] : [x, constant])), new FoldOptions { KeepSubtractions = true });
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_KeepingSubtractions_KeepsTheDigitsOfNumbersFarFromZero()
    {
        // Years as they come, divided by 2000, then centred and divided by their spread, in float32.
        var test = new FoldCase();
        Value Vector(string name, float value) => test.Graph.Initializer(TensorData.Create(name, [value], 1));
        var x = test.Graph.Input("x", DataType.Float, 5, 1);
        x = test.Graph.Named(
            "bn", "BatchNormalization", [x, Vector("scale", 1 / 2000f), Vector("b", 0), Vector("m", 0), Vector("v", 1)], ("epsilon", 0f));
        x = test.Graph.Node("Sub", [x, Vector("mean", 1.004f)]);
        x = test.Graph.Node("MatMul", [x, test.Graph.Initializer(TensorData.Create("w", [1500f], 1, 1))]);
        test.Graph.Output("y", x, DataType.Float, 5, 1);
        var model = test.Graph.Build();

        var kept = BatchNormFolder.Fold(model, new FoldOptions { KeepSubtractions = true });
        var merged = BatchNormFolder.Fold(model);

        Assert.Equal(["Sub", "MatMul"], kept.Model.Proto.Graph.Node.Select(node => node.OpType));
        var year = new HostTensor(DataType.Float, [5, 1], new float[] { 2006, 2007, 2008, 2009, 2010 });
        // What is left is the rounding of one constant; merged, every product is rounded at the size of the years.
        Assert.InRange(Error(kept), 0, 5e-5);
        Assert.InRange(Error(merged), 2 * Error(kept), 1e-3);

        double Error(FoldResult result)
        {
            using var session = OnnxSession.Load(result.Model.Proto, new() { Optimization = GraphOptimization.None });
            var y = (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = year })["y"].Data;
            // In float64, with the constants as they are stored.
            return y.Select((value, i) => Math.Abs(value - (((2006.0 + i) * (1 / 2000f)) - 1.004f) * 1500f)).Max();
        }
    }

    [Fact]
    public void Fold_NormalizedValueIsAlsoAnOutput_ExpandKeepsBoth()
    {
        var test = new FoldCase();
        var x = test.BatchNorm(test.Input(5, 4), 4, positive: true);
        test.Graph.Output("normalized", x, DataType.Float, 5, 4);
        var h = test.Graph.Node("Min", [test.Graph.Node("Max", [x, test.Weight("low", 4)]), test.WeightBetween(0.5, 1, "high", 4)]);
        var result = test.Fold(MatMul(test, h), new FoldOptions { Expand = true, KeepSubtractions = true });
        Assert.Equal(FoldStatus.Rewritten, result.BatchNorms[0].Status);
    }

    private static Value MatMul(FoldCase test, Value x) => test.Graph.Node("MatMul", [x, test.Weight("w", 4, 3)]);
}

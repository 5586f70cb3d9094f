using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>Weights that the model computes from constants, and how large they may become.</summary>
public class ConstantFoldTests
{
    [Fact]
    public void Fold_SpectralNorm_TakesTheWeightsAsTheyAreComputed()
    {
        // σ = uᵀ·W·v, W/σ, with W seen as a matrix.
        var test = new FoldCase(opset: 13);
        var w = test.Weight("w", 4, 3, 2, 2);
        var matrix = test.Graph.Node("Flatten", [w]);
        var sigma = test.Graph.Node("MatMul", [test.Weight("u", 4), test.Graph.Node("MatMul", [matrix, test.Weight("v", 12)])]);
        FoldsConv(test, test.Graph.Node("Div", [w, sigma]));
    }

    [Fact]
    public void Fold_WeightNorm_TakesTheWeightsAsTheyAreComputed()
    {
        // g·V / ‖V‖ for each output channel.
        var test = new FoldCase(opset: 13);
        var v = test.Weight("v", 4, 3, 2, 2);
        var norm = test.Graph.Node("ReduceL2", [v], ("axes", new long[] { 1, 2, 3 }), ("keepdims", 1));
        FoldsConv(test, test.Graph.Node("Mul", [v, test.Graph.Node("Div", [test.Weight("g", 4, 1, 1, 1), norm])]));
    }

    [Fact]
    public void Fold_WeightStandardization_TakesTheWeightsAsTheyAreComputed()
    {
        var test = new FoldCase(opset: 13);
        var w = test.Weight("w", 4, 3, 2, 2);
        Value Mean(Value x) => test.Graph.Node("ReduceMean", [x], ("axes", new long[] { -1, -2, -3 }), ("keepdims", 1));
        var centred = test.Graph.Node("Sub", [w, Mean(w)]);
        var variance = Mean(test.Graph.Node("Pow", [centred, test.Graph.Constant(2)]));
        var deviation = test.Graph.Node("Sqrt", [test.Graph.Node("Add", [variance, test.Graph.Constant(1e-5f)])]);
        FoldsConv(test, test.Graph.Node("Div", [centred, deviation]));
    }

    [Fact]
    public void Fold_WeightsPutTogetherFromParts_CountAsConstants()
    {
        var test = new FoldCase(opset: 13);
        var parts = test.Graph.Nodes("Split", [test.Weight("w", 4, 5, 2, 2), test.Graph.Integers(2, 3)], 2, ("axis", 1));
        var slice = test.Graph.Node(
            "Slice",
            [parts[1], test.Graph.Integers(-1), test.Graph.Integers(long.MinValue), test.Graph.Integers(1), test.Graph.Integers(-2)]);
        var picked = test.Graph.Node("Gather", [parts[0], test.Graph.Integers(1)], ("axis", 1));
        var w = test.Graph.Node("Concat", [picked, slice], ("axis", 1));
        w = test.Graph.Node("Transpose", [w], ("perm", new long[] { 3, 1, 0, 2 }));
        FoldsConv(test, test.Graph.Node("Transpose", [w], ("perm", new long[] { 2, 1, 3, 0 })));
    }

    [Theory]
    [InlineData("Exp")]
    [InlineData("Tanh")]
    [InlineData("Sigmoid")]
    [InlineData("Softplus")]
    [InlineData("Abs")]
    [InlineData("Neg")]
    [InlineData("Floor")]
    [InlineData("Sign")]
    public void Fold_FunctionOfAWeight_CountsAsAConstant(string op)
    {
        var test = new FoldCase(opset: 13);
        FoldsConv(test, test.Graph.Node(op, [test.WeightBetween(-2, 2, "w", 4, 3, 2, 2)]));
    }

    [Theory]
    [InlineData("ReduceSum")]
    [InlineData("ReduceMean")]
    [InlineData("ReduceMax")]
    [InlineData("ReduceMin")]
    [InlineData("ReduceProd")]
    [InlineData("ReduceL1")]
    [InlineData("ReduceSumSquare")]
    public void Fold_ReductionOfAWeight_CountsAsAConstant(string op)
    {
        var test = new FoldCase(opset: 11);
        FoldsConv(test, test.Graph.Node(op, [test.Weight("w", 4, 3, 5, 2, 2)], ("axes", new long[] { 2 }), ("keepdims", 0)));
    }

    [Fact]
    public void Fold_ExpandedClippedTiledWeight_CountsAsAConstant()
    {
        var test = new FoldCase(opset: 13);
        var w = test.Graph.Node("Clip", [test.Weight("w", 2, 3, 1, 1), Value.None, test.Graph.Constant(0.2f)]);
        w = test.Graph.Node("Tile", [w, test.Graph.Integers(2, 1, 1, 1)]);
        FoldsConv(test, test.Graph.Node("Expand", [w, test.Graph.Integers(1, 1, 2, 2)]));
    }

    [Fact]
    public void Fold_WeightOfACastThatRounds_IsRoundedFirst()
    {
        var test = new FoldCase(opset: 13);
        var w = test.Graph.Node("Cast", [test.Weight("w", 4, 3, 2, 2)], ("to", (long)DataType.Float16));
        FoldsConv(test, test.Graph.Node("Cast", [w], ("to", (long)DataType.Float)));
    }

    [Fact]
    public void Fold_LongChainBehindAWeight_NeedsNoStack()
    {
        foreach (var op in new[] { "Identity", "Neg" })
        {
            var test = new FoldCase();
            var w = test.Weight("w", 3, 4);
            for (var i = 0; i < 40_000; i++) w = test.Graph.Node(op, [w]);
            test.Graph.Output("y", test.BatchNorm(test.Graph.Node("MatMul", [test.Input(5, 3), w]), 4), DataType.Float, 5, 4);
            var result = BatchNormFolder.Fold(test.Graph.Build());
            Assert.Equal(["MatMul", "Add"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        }
    }

    [Fact]
    public void Fold_SquaresOfSquares_AreFollowedOnlySoFar()
    {
        // Each square is reached on two ways from the one before: 2^60 ways in all.
        foreach (var isWeight in new[] { false, true })
        {
            var test = new FoldCase();
            var x = test.Input(5, 4);
            var h = isWeight ? test.WeightBetween(0.9, 1.1, "w", 4, 4) : Unshifted(test, x);
            for (var i = 0; i < 60; i++) h = test.Graph.Node("Mul", [h, h]);
            h = isWeight ? test.BatchNorm(test.Graph.Node("MatMul", [x, h]), 4) : test.Graph.Node("MatMul", [h, test.Weight("v", 4, 2)]);
            test.Graph.Output("y", h, DataType.Float, 5, "M");
            var outcome = BatchNormFolder.Fold(test.Graph.Build()).BatchNorms[0];
            if (isWeight) Assert.NotEqual(string.Empty, outcome.Into + outcome.Reason);
            else Assert.Contains("too many ways", outcome.Reason);
        }
    }

    [Fact]
    public void Fold_ShiftAlongAnotherAxisThanTheConstant_IsNotMultipliedOut()
    {
        const int size = 3000;
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input(size, 1), test.Weight("w", 1, size)]);
        h = test.BatchNorm(test.Graph.Node("Add", [h, test.Weight("c", size, 1)]), size);
        test.Graph.Output("y", h, DataType.Float, size, size);
        var result = BatchNormFolder.Fold(test.Graph.Build());
        Assert.Contains("multiplied out", result.BatchNorms[0].Reason);
        Assert.True(result.BytesAfter <= result.BytesBefore);
    }

    [Fact]
    public void Fold_RepeatedValueAsAWeight_IsNotWrittenOut()
    {
        const int size = 3_000_000;
        var test = new FoldCase();
        var w = test.Graph.Node("Transpose", [test.Graph.Node("ConstantOfShape", [test.Graph.Integers(4, size)])]);
        test.Graph.Output("y", test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", size), w]), 4), DataType.Float, "N", 4);
        var model = test.Graph.Build();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = BatchNormFolder.Fold(model);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 10_000_000);
        Assert.Contains("written out in place of 0", result.BatchNorms[0].Reason);
        Assert.True(result.BytesAfter <= result.BytesBefore);
    }

    private static Value Unshifted(FoldCase test, Value x)
    {
        var zeros = test.Graph.Initializer(TensorData.Create("zeros", [0f, 0, 0, 0], 4));
        return test.Graph.Node(
            "BatchNormalization", [x, test.WeightBetween(0.9, 1.1, "gamma", 4), zeros, zeros, test.WeightBetween(0.9, 1.1, "variance", 4)]);
    }

    private static void FoldsConv(FoldCase test, Value w)
    {
        var result = test.Fold(test.BatchNorm(test.Graph.Node("Conv", [test.Input(2, 3, 5, 5), w]), 4), tolerance: 2e-5);
        Assert.Equal(["Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }
}

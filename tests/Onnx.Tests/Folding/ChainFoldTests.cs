using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class ChainFoldTests
{
    [Fact]
    public void Fold_BatchNormBehindBatchNorm_ComposesThem()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Sigmoid", [test.Input("N", 6)]);
        h = test.BatchNorm(test.BatchNorm(h, 6, "first"), 6, "second");
        var result = test.Fold(test.Graph.Node("Sigmoid", [h]));
        Assert.Equal(["Sigmoid", "BatchNormalization", "Sigmoid"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal(FoldStatus.Composed, result.BatchNorms[0].Status);
        Assert.Equal("second", result.BatchNorms[0].Into);
        Assert.Equal(FoldStatus.Declined, result.BatchNorms[1].Status);
    }

    public static TheoryData<string, bool, bool, bool> Operators()
    {
        var data = new TheoryData<string, bool, bool, bool>();
        (string, bool)[] chain =
            [("Mul", false), ("Mul", true), ("Add", false), ("Add", true), ("Sub", false), ("Sub", true), ("Div", false)];
        foreach (var (op, first) in chain)
        {
            foreach (var behind in new[] { false, true })
            {
                data.Add(op, first, behind, false);
                data.Add(op, first, behind, true);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void Fold_ConstantArithmeticNextToBatchNorm_BecomesPartOfIt(string op, bool constantFirst, bool behind, bool scalar)
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Sigmoid", [test.Input(2, 6, 3, 3)]);
        if (behind) h = test.BatchNorm(h, 6);
        var k = test.WeightBetween(0.5, 2, "k", scalar ? [] : [1, 6, 1, 1]);
        h = test.Graph.Node(op, constantFirst ? [k, h] : [h, k]);
        if (!behind) h = test.BatchNorm(h, 6);
        var result = test.Fold(test.Graph.Node("Sigmoid", [h]));
        Assert.Equal(["Sigmoid", "BatchNormalization", "Sigmoid"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fold_ThousandsOfConstantOperatorsNextToBatchNorm_BecomePartOfIt(bool behind)
    {
        // More than go in one step, and some of them for each channel. What is added in front of a batch normalization would take it in.
        const int links = 2300;
        var test = new FoldCase();
        var h = test.Graph.Node("Sigmoid", [test.Input(2, 6, 3, 3)]);
        if (behind) h = test.BatchNorm(h, 6);
        Value[] factors = [test.WeightBetween(0.9, 1.1, "k", 6, 1, 1), test.WeightBetween(0.99, 1.01, "f")];
        var summand = test.WeightBetween(-0.01, 0.01, "t", 1);
        for (var i = 0; i < links; i++)
        {
            h = (behind ? i % 5 : i % 3 * 2 % 5) switch
            {
                0 => test.Graph.Node("Mul", [h, factors[i % 2]]),
                1 => test.Graph.Node("Add", [summand, h]),
                2 => test.Graph.Node("Div", [h, factors[i % 2]]),
                3 => test.Graph.Node("Sub", [summand, h]),
                _ => test.Graph.Node("Neg", [h]),
            };
        }

        if (!behind) h = test.BatchNorm(h, 6);
        var result = test.Fold(test.Graph.Node("Sigmoid", [h]), tolerance: 1e-4);
        Assert.Equal(["Sigmoid", "BatchNormalization", "Sigmoid"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_ConstantOperatorsThatAreTooMuchTogether_GoAsFarAsTheyCan(bool behind)
    {
        // Two of the factors are a number of float32, all three are none. A scale alone would go into the factors.
        var test = new FoldCase();
        var h = test.Graph.Node("Sub", [test.Input(2, 6, 3, 3), test.WeightBetween(60, 60, "far")]);
        h = test.Graph.Node("Exp", [h]);
        Value[] neutral = [.. "sbmv".Select(name => Constant($"{name}", name is 's' or 'v' || (name == 'b' && !behind) ? 1 : 0, 6))];
        if (behind) h = test.Graph.Node("BatchNormalization", [h, .. neutral]);
        for (var i = 0; i < 3; i++) h = test.Graph.Node("Mul", [h, Constant($"k{i}", 1e19)]);
        if (!behind) h = test.Graph.Node("BatchNormalization", [h, .. neutral]);
        var result = test.Fold(test.Graph.Node("Abs", [h]));
        string[] left = behind ? ["BatchNormalization", "Mul"] : ["Mul", "BatchNormalization"];
        Assert.Equal(["Sub", "Exp", .. left, "Abs"], result.Model.Proto.Graph.Node.Select(node => node.OpType));

        Value Constant(string name, double value, params long[] shape) => test.WeightBetween(value, value, name, shape);
    }

    [Fact]
    public void Fold_CaffeScaleLayers_MoveIntoTheConvWithTheBatchNorm()
    {
        // Caffe's batch normalization has no scale and shift of its own; a Scale layer behind it has them.
        var test = new FoldCase();
        var h = test.Graph.Node("Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 8, 3, 3, 3), test.Weight("b", 8)]);
        h = test.BatchNorm(h, 8);
        h = test.Graph.Node("Mul", [h, test.Weight("scale", 8, 1, 1)]);
        h = test.Graph.Node("Add", [h, test.Weight("shift", 8, 1, 1)]);
        var result = test.Fold(h);
        Assert.Equal(["Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ConstantAlongAnotherAxis_StaysWhereItIs()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Sigmoid", [test.Input(2, 6, 3, 6)]), 6);
        var result = test.Fold(test.Graph.Node("Mul", [h, test.Weight("k", 6)]));
        Assert.Equal(["Sigmoid", "BatchNormalization", "Mul"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ConstantThatWidensTheData_StaysWhereItIs()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Mul", [test.Graph.Node("Sigmoid", [test.Input(2, 1)]), test.Weight("k", 6)]);
        var result = test.Fold(test.BatchNorm(h, 6));
        Assert.Equal(["Sigmoid", "Mul", "BatchNormalization"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_DivisionOfAConstant_IsNotLinear()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Sigmoid", [test.Input(2, 6)]), 6);
        var result = test.Fold(test.Graph.Node("Div", [test.WeightBetween(1, 2, "k", 6), h]), tolerance: 1e-4);
        Assert.Equal(1, FoldCase.Count(result.Model.Proto, "Div"));
    }

    [Fact]
    public void Fold_NothingTakesItIn_ExpandMakesMulAndAdd()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Sigmoid", [test.Input(2, 6, 3, 3)]), 6);
        var result = test.Fold(test.Graph.Node("Tanh", [h]), new FoldOptions { Expand = true });
        Assert.Equal(["Sigmoid", "Mul", "Add", "Tanh"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal(FoldStatus.Rewritten, result.BatchNorms[0].Status);
        Assert.Equal("Mul, Add", result.BatchNorms[0].Into);
        Assert.Contains("Sigmoid", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_MulAndAddBehindABatchNormThatStays_ReportsThatItIsSimpler()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Sigmoid", [test.Input("N", 6)]), 6);
        h = test.Graph.Named("shift", "Add", [test.Graph.Named("scale", "Mul", [h, test.Weight("k", 6)]), test.Weight("c", 6)]);
        var result = test.Fold(test.Graph.Node("Sigmoid", [h]));
        Assert.Equal(["Sigmoid", "BatchNormalization", "Sigmoid"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        var outcome = Assert.Single(result.BatchNorms);
        Assert.Equal((FoldStatus.Rewritten, "BatchNormalization with scale, shift"), (outcome.Status, outcome.Into));
        Assert.Contains("Sigmoid", outcome.Reason);
        Assert.Equal(1, result.Removed);
    }

    [Theory]
    [InlineData("Conv", "Mul,Add", "Conv")]
    [InlineData("Conv", "Sub,Mul,Add", "Conv")]
    [InlineData("Conv", "Sub,Div,Mul,Add", "Conv")]
    [InlineData("Conv", "Neg", "Conv")]
    [InlineData("Gemm", "Mul,Add", "Gemm")]
    [InlineData("MatMul", "Mul,Add", "MatMul,Add")]
    [InlineData("MatMul", "Add,Mul,Add", "MatMul,Add")]
    [InlineData("MatMul", "Mul", "MatMul")]
    public void Fold_BatchNormWrittenAsConstantArithmetic_MovesIntoTheWeights(string layer, string chain, string expected)
    {
        var test = new FoldCase();
        var x = layer == "Conv" ? test.Input(2, 3, 6, 6) : test.Input(5, 3);
        long[] along = layer == "Conv" ? [4, 1, 1] : [4];
        var h = layer switch
        {
            "Conv" => test.Graph.Node("Conv", [x, test.Weight("w", 4, 3, 3, 3)], ("pads", new long[] { 1, 1, 1, 1 })),
            "Gemm" => test.Graph.Node("Gemm", [x, test.Weight("w", 4, 3), test.Weight("b", 4)], ("transB", 1), ("beta", 0.5f)),
            _ => test.Graph.Node("MatMul", [x, test.Weight("w", 3, 4)]),
        };
        foreach (var op in chain.Split(',')) h = test.Graph.Node(op, op == "Neg" ? [h] : [h, test.WeightBetween(0.3, 2, "k", along)]);
        var result = test.Fold(h);
        Assert.Equal(expected.Split(','), result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Empty(result.BatchNorms);
        var outcome = Assert.Single(result.Chains);
        Assert.Equal((FoldStatus.Folded, chain.Replace(",", ", ", StringComparison.Ordinal)), (outcome.Status, outcome.Operators));
    }

    [Fact]
    public void Fold_FrozenStatisticsWhoseFactorsAreComputed_MoveIntoTheConv()
    {
        // As detection networks write it: w·rsqrt(var + ε), reshaped to [1, C, 1, 1].
        var test = new FoldCase();
        var conv = test.Graph.Node("Conv", [test.Input(2, 3, 5, 5), test.Weight("w", 4, 3, 3, 3)]);
        var variance = test.Graph.Node("Add", [test.WeightBetween(0.3, 2, "var", 4), test.Graph.Constant(1e-5f)]);
        var deviation = test.Graph.Node("Sqrt", [variance]);
        var scale = test.Graph.Node("Mul", [test.Weight("gamma", 4), test.Graph.Node("Reciprocal", [deviation])]);
        var shift = test.Graph.Node("Sub", [test.Weight("beta", 4), test.Graph.Node("Mul", [test.Weight("mean", 4), scale])]);
        Value Wide(Value value) => test.Graph.Node("Reshape", [value, test.Graph.Integers(1, -1, 1, 1)]);
        var result = test.Fold(test.Graph.Node("Add", [test.Graph.Node("Mul", [conv, Wide(scale)]), Wide(shift)]));
        Assert.Equal(["Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ScaleAndShiftThatNothingTakesIn_SaysWhyTheyStay()
    {
        var test = new FoldCase();
        var layer = test.Graph.Named("layer", "MatMul", [test.Input(5, 3), test.Weight("w", 3, 6)]);
        var h = test.Graph.Node("Add", [test.Graph.Node("Mul", [layer, test.Weight("k", 6)]), test.Weight("c", 6)]);
        var result = test.Fold(test.Graph.Node("Sub", [h, test.Graph.Node("Sigmoid", [layer])]));
        var outcome = Assert.Single(result.Chains);
        Assert.Equal((FoldStatus.Declined, "Mul, Add"), (outcome.Status, outcome.Operators));
        Assert.Contains("'layer' is also read by Sigmoid", outcome.Reason);
        Assert.Equal("nothing else read 'layer'", outcome.WouldFoldIf);
    }

    [Fact]
    public void Fold_ScaleAndShiftOfALayerNormalization_IsNoBatchNorm()
    {
        var test = new FoldCase();
        var x = test.Input(5, 6);
        var mean = test.Graph.Node("ReduceMean", [x], ("axes", new long[] { 1 }), ("keepdims", 1));
        var h = test.Graph.Node("Mul", [test.Graph.Node("Sub", [x, mean]), test.Weight("k", 6)]);
        var result = test.Fold(test.Graph.Node("Add", [h, test.Weight("c", 6)]));
        Assert.Empty(result.Chains);
        Assert.Equal(result.NodesBefore, result.NodesAfter);
    }

    [Fact]
    public void Fold_KeepSubtractions_LeavesChainsAlone()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Mul", [test.Graph.Node("MatMul", [test.Input(5, 3), test.Weight("w", 3, 4)]), test.Weight("k", 4)]);
        Assert.Equal(2, test.Fold(h, new FoldOptions { KeepSubtractions = true }).NodesAfter);
    }

    [Fact]
    public void Fold_ThousandsOfFactorsBeforeABatchNorm_BecomePartOfIt()
    {
        var test = new FoldCase();
        var h = test.Input("N", 3);
        var factor = test.WeightBetween(0.99, 1.01, "k");
        for (var i = 0; i < 5000; i++) h = test.Graph.Node("Mul", [h, factor]);
        test.Graph.Output("y", test.Graph.Node("Sigmoid", [test.BatchNorm(h, 3)]), Proto.TensorProto.Types.DataType.Float, "N", 3);
        var result = BatchNormFolder.Fold(test.Graph.Build());
        Assert.Equal(["BatchNormalization", "Sigmoid"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }
}


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
}

using MlNetBatchNorm.Onnx.Graph;


namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class DenseFoldTests
{
    private static readonly string[] AbsentAndGivenShapes = ["none", "", "1", "5", "1,5", "3,1", "3,5"];

    [Fact]
    public void Fold_OurOwnNetwork_LeavesNoBatchNorm()
    {
        var test = new FoldCase();
        var x = test.Graph.Node("Clip", [test.Input("N", 7), test.Graph.Constant(-3), test.Graph.Constant(3)]);
        var h = test.BatchNorm(x, 7, "standardize");
        h = test.Graph.Node("MatMul", [h, test.Weight("w1", 7, 16)]);
        h = test.Graph.Node("Relu", [test.BatchNorm(h, 16, "bn1")]);
        h = test.Graph.Node("Gemm", [h, test.Weight("w2", 16, 8)]);
        h = test.BatchNorm(test.Graph.Node("Tanh", [h]), 8, "bn2");
        h = test.Graph.Node("Gemm", [h, test.Weight("w3", 8, 1), test.Weight("b3", 1)]);
        var result = test.Fold(test.Graph.Node("Sigmoid", [h]));
        Assert.Equal(0, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        Assert.All(result.BatchNorms, outcome => Assert.Equal(FoldStatus.Folded, outcome.Status));
        // A single Add takes the shift of the first two batch normalizations.
        Assert.Equal(
            ["Clip", "MatMul", "Add", "Relu", "Gemm", "Tanh", "Gemm", "Sigmoid"],
            result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_BatchNormOnGraphInputBeforeGemm_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 7), 7);
        var result = test.Fold(test.Graph.Node("Gemm", [h, test.Weight("w", 7, 4)]));
        Assert.Equal(["Gemm"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal("Gemm", result.BatchNorms[0].Into);
    }

    public static TheoryData<float, float, int, string, bool> GemmCases()
    {
        var data = new TheoryData<float, float, int, string, bool>();
        foreach (var (alpha, beta) in new[] { (1f, 1f), (0.5f, 2f), (1f, 0f) })
        {
            foreach (var transB in new[] { 0, 1 })
            {
                foreach (var c in AbsentAndGivenShapes)
                {
                    data.Add(alpha, beta, transB, c, true);
                    data.Add(alpha, beta, transB, c, false);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(GemmCases))]
    public void Fold_GemmOfEveryForm_MatchesOriginal(float alpha, float beta, int transB, string c, bool behind)
    {
        var test = new FoldCase();
        var h = test.Input(3, 6);
        if (!behind) h = test.BatchNorm(h, 6);
        Value[] inputs = [h, transB == 1 ? test.Weight("w", 5, 6) : test.Weight("w", 6, 5)];
        if (c != "none") inputs = [.. inputs, test.Weight("c", c.Length == 0 ? [] : [.. c.Split(',').Select(long.Parse)])];
        h = test.Graph.Node("Gemm", inputs, ("alpha", alpha), ("beta", beta), ("transB", transB));
        if (behind) h = test.BatchNorm(h, 5);
        var result = test.Fold(h);
        Assert.Equal(["Gemm"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_MatMulThenAdd_PutsTheShiftIntoTheAdd(bool constantFirst)
    {
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input("N", 6), test.Weight("w", 6, 5)]);
        var b = test.Weight("b", 5);
        h = test.Graph.Node("Add", constantFirst ? [b, h] : [h, b]);
        var result = test.Fold(test.BatchNorm(h, 5));
        Assert.Equal(["MatMul", "Add"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_MatMulThenSub_PutsTheShiftIntoTheSub(bool constantFirst)
    {
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input("N", 6), test.Weight("w", 6, 5)]);
        var b = test.Weight("b", 5);
        h = test.Graph.Node("Sub", constantFirst ? [b, h] : [h, b]);
        var result = test.Fold(test.BatchNorm(h, 5));
        Assert.Equal(["MatMul", "Sub"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }
}

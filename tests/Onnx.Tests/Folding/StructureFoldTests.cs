using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class StructureFoldTests
{
    [Fact]
    public void Fold_BehindConcatOfConvs_SplitsTheMap()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        var h = test.Graph.Node(
            "Concat", [Conv(test, x, 3, 4, "a"), Conv(test, x, 3, 5, "b"), test.Weight("constant", 2, 1, 6, 6)], ("axis", 1));
        Gone(test.Fold(test.BatchNorm(h, 10)));
    }

    [Fact]
    public void Fold_BehindConcatOfTheBatch_GivesEveryBranchAllOfIt()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        var h = test.Graph.Node("Concat", [Conv(test, x, 3, 4, "a"), Conv(test, x, 3, 4, "b")], ("axis", 0));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BehindConcatWithABranchThatIsReadElsewhere_DeclinesAndChangesNothing()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        var (a, b) = (Conv(test, x, 3, 4, "a"), Conv(test, x, 3, 4, "b"));
        var h = test.BatchNorm(test.Graph.Node("Concat", [a, b], ("axis", 1)), 8);
        var result = test.Fold(test.Graph.Node("Concat", [test.Graph.Node("Relu", [h]), b], ("axis", 1)));
        Assert.Equal(FoldStatus.Declined, result.BatchNorms[0].Status);
        Assert.Contains("is also read by Concat", result.BatchNorms[0].Reason);
        Assert.Contains("Relu", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BehindAddOfTwoBranches_ScalesBothAndShiftsOne()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        Gone(test.Fold(test.BatchNorm(test.Graph.Node("Add", [Conv(test, x, 3, 4, "a"), Conv(test, x, 3, 4, "b")]), 4)));
    }

    [Fact]
    public void Fold_BehindSubOfTwoBranches_MatchesOriginal()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3, 6, 6);
        Gone(test.Fold(test.BatchNorm(test.Graph.Node("Sub", [Conv(test, x, 3, 4, "a"), Conv(test, x, 3, 4, "b")]), 4)));
    }

    [Fact]
    public void Fold_BehindAddWithTheInput_Declines()
    {
        var test = new FoldCase();
        var x = test.Input(2, 4, 6, 6);
        var result = test.Fold(test.BatchNorm(test.Graph.Node("Add", [Conv(test, x, 4, 4, "a"), x]), 4));
        Assert.Equal(1, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        Assert.Contains("'x'", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BehindAddOfABroadcastBranch_Declines()
    {
        var test = new FoldCase();
        var x = test.Input(2, 3);
        var h = test.Graph.Node("Add", [Gemm(test, x, 3, 6, "a"), Gemm(test, x, 3, 1, "b")]);
        var result = test.Fold(test.BatchNorm(h, 6));
        Assert.Contains("broadcast", result.BatchNorms[0].Reason);
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1, 0, true)]
    [InlineData(1, 1, false)]
    public void Fold_BehindAveragePool_FoldsUnlessPaddedZerosCount(int pad, int includePad, bool folds)
    {
        var test = new FoldCase();
        var h = test.Graph.Node("AveragePool", [Conv(test, test.Input(2, 3, 6, 6), 3, 4, "a")],
            ("kernel_shape", new long[] { 3, 3 }), ("pads", new long[] { pad, pad, pad, pad }), ("count_include_pad", includePad));
        var result = test.Fold(test.BatchNorm(h, 4));
        Assert.Equal(folds ? 0 : 1, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        if (!folds) Assert.Contains("counts padded zeros", result.BatchNorms[0].Reason);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_BehindMaxPool_FoldsWhenEveryScaleIsPositive(bool positive)
    {
        var test = new FoldCase();
        var h = test.Graph.Node(
            "MaxPool", [Conv(test, test.Input(2, 3, 6, 6), 3, 4, "a")], ("kernel_shape", new long[] { 3, 3 }),
            ("pads", new long[] { 1, 1, 1, 1 }));
        var result = test.Fold(test.BatchNorm(h, 4, positive: positive));
        Assert.Equal(positive ? 0 : 1, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        if (!positive) Assert.Contains("not positive", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BehindMaxPoolWhoseIndicesAreUsed_Declines()
    {
        var test = new FoldCase();
        var outputs = test.Graph.Nodes(
            "MaxPool", [Conv(test, test.Input(2, 3, 6, 6), 3, 4, "a")], 2, ("kernel_shape", new long[] { 3, 3 }));
        test.Graph.Output("indices", outputs[1], Proto.TensorProto.Types.DataType.Int64, 2, 4, 4, 4);
        Assert.Contains("indices", test.Fold(test.BatchNorm(outputs[0], 4, positive: true)).BatchNorms[0].Reason);
    }

    [Theory]
    [InlineData("GlobalAveragePool")]
    [InlineData("Identity")]
    [InlineData("Dropout")]
    public void Fold_BetweenAnOperatorThatCommutesAndConv_MatchesOriginal(string op)
    {
        var test = new FoldCase();
        Gone(test.Fold(test.BatchNorm(test.Graph.Node(op, [Conv(test, test.Input(2, 3, 6, 6), 3, 4, "a")]), 4)));
    }

    [Fact]
    public void Fold_BehindRelu_Declines()
    {
        var test = new FoldCase();
        var result = test.Fold(test.BatchNorm(test.Graph.Node("Relu", [Conv(test, test.Input(2, 3, 6, 6), 3, 4, "a")]), 4, positive: true));
        Assert.Contains("not linear", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BeforeFlattenAndGemm_RepeatsTheMapForEveryLocation()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 4, 3, 5), 4);
        Gone(test.Fold(Gemm(test, test.Graph.Node("Flatten", [h]), 60, 7, "fc")));
    }

    [Fact]
    public void Fold_BeforePoolAndReshapeAndMatMul_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 4, 6, 6), 4);
        h = test.Graph.Node("AveragePool", [h], ("kernel_shape", new long[] { 2, 2 }), ("strides", new long[] { 2, 2 }));
        h = test.Graph.Node("Reshape", [h, test.Graph.Integers(0, -1)]);
        Gone(test.Fold(test.Graph.Node("MatMul", [h, test.Weight("w", 36, 7)])));
    }

    [Fact]
    public void Fold_BeforeAFlattenThatComputesItsShape_MatchesOriginal()
    {
        // What PyTorch writes for x.view(x.size(0), -1).
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 4, 3, 5), 4);
        var rows = test.Graph.Node(
            "Gather", [test.Graph.Node("Shape", [h]), test.Graph.Initializer(TensorData.Create("zero", new long[] { 0 }))], ("axis", 0));
        var shape = test.Graph.Node(
            "Concat", [test.Graph.Node("Unsqueeze", [rows, test.Graph.Integers(0)]), test.Graph.Integers(-1)], ("axis", 0));
        var result = test.Fold(Gemm(test, test.Graph.Node("Reshape", [h, shape]), 60, 7, "fc"));
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_BehindReshapeOfPooledConv_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("GlobalAveragePool", [Conv(test, test.Input("N", 3, 6, 6), 3, 4, "a")]);
        Gone(test.Fold(test.BatchNorm(test.Graph.Node("Flatten", [h]), 4)));
    }

    [Fact]
    public void Fold_BehindFlattenedImages_DeclinesWhatIsPerLocation()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Flatten", [Conv(test, test.Input(2, 3, 3, 3), 3, 4, "a")]);
        Assert.Contains("cannot be followed", test.Fold(test.BatchNorm(h, 36)).BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BetweenTransposes_FollowsTheChannels()
    {
        // Keras keeps channels last; tf2onnx puts transposes around what needs them first.
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input(2, 5, 7, 3), test.Weight("w", 3, 4)]);
        h = test.Graph.Node("Transpose", [h], ("perm", new long[] { 0, 3, 1, 2 }));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BeforeSqueezeAndGemm_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 4, 1, 1), 4);
        Gone(test.Fold(Gemm(test, test.Graph.Node("Squeeze", [h, test.Graph.Integers(2, 3)]), 4, 7, "fc")));
    }

    [Fact]
    public void Fold_BeforeReduceMeanAndGemm_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input("N", 4, 3, 5), 4);
        h = test.Graph.Node("ReduceMean", [h], ("axes", new long[] { 2, 3 }), ("keepdims", 0));
        Gone(test.Fold(Gemm(test, h, 4, 7, "fc")));
    }

    [Fact]
    public void Fold_BeforeConcatWithOtherFeaturesAndGemm_MapsOnlyItsOwn()
    {
        var test = new FoldCase();
        var numbers = test.BatchNorm(test.Input("N", 4), 4);
        var others = test.Graph.Input("others", Proto.TensorProto.Types.DataType.Float, "N", 3);
        Gone(test.Fold(Gemm(test, test.Graph.Node("Concat", [others, numbers], ("axis", 1)), 7, 5, "fc")));
    }

    [Fact]
    public void Fold_ReachesOneGemmOnTwoWays_AppliesItsBetaOnce()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 4), 4);
        h = test.Graph.Node("Concat", [test.Graph.Node("Concat", [h, test.Weight("padding", 2, 3)], ("axis", 1)), h], ("axis", 1));
        h = test.Graph.Node("Gemm", [h, test.Weight("w", 11, 5), test.Weight("c", 5)], ("alpha", 0.5f), ("beta", 2f));
        Gone(test.Fold(h));
    }

    [Theory]
    [InlineData("edge", true)]
    [InlineData("reflect", true)]
    [InlineData("constant", false)]
    public void Fold_BeforePadAndConv_FoldsUnlessZerosArePadded(string mode, bool folds)
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 3, 6, 6), 3);
        h = test.Graph.Node("Pad", [h, test.Graph.Integers(0, 0, 1, 1, 0, 0, 1, 1)], ("mode", mode));
        var result = test.Fold(Conv(test, h, 3, 4, "a", pad: 0));
        Assert.Equal(folds ? FoldStatus.Folded : FoldStatus.Rewritten, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_ReadByTwoConvs_FoldsIntoBoth()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 3, 6, 6), 3);
        var result = test.Fold(
            test.Graph.Node("Concat", [Conv(test, h, 3, 4, "a", pad: 0), Conv(test, h, 3, 5, "b", pad: 0)], ("axis", 1)));
        Gone(result);
        Assert.Equal("a, b", result.BatchNorms[0].Into);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_BatchedMatMul_FoldsOnlyAlongItsColumns(bool channelsLast)
    {
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input(2, 4, 3), test.Weight("w", 3, 4)]);
        if (channelsLast) h = test.Graph.Node("Transpose", [h], ("perm", new long[] { 0, 2, 1 }));
        var result = test.Fold(test.BatchNorm(h, 4));
        Assert.Equal(channelsLast ? 0 : 1, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        if (!channelsLast) Assert.Contains("axis 1", result.BatchNorms[0].Reason);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_MatMulWithTheConstantOnTheLeft_MatchesOriginal(bool behind)
    {
        // A pointwise convolution over [N, C, L], written as a product.
        var test = new FoldCase();
        var h = test.Input(2, 4, 5);
        if (!behind) h = test.BatchNorm(h, 4);
        h = test.Graph.Node("MatMul", [test.Weight("w", 6, 4), h]);
        if (behind) h = test.BatchNorm(h, 6);
        Gone(test.Fold(h));
    }

    [Fact]
    public void Fold_BeforeMatMulWithABatchOfMatrices_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Transpose", [test.BatchNorm(test.Input(2, 4, 5), 4)], ("perm", new long[] { 0, 2, 1 }));
        Gone(test.Fold(test.Graph.Node("MatMul", [h, test.Weight("w", 2, 4, 3)])));
    }

    private static void Gone(FoldResult result)
    {
        Assert.Equal(0, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        Assert.All(result.BatchNorms, outcome => Assert.Equal(FoldStatus.Folded, outcome.Status));
    }

    private static Value Conv(FoldCase test, Value x, int inputs, int outputs, string name, int pad = 1) =>
        test.Graph.Named(name, "Conv", [x, test.Weight($"{name}_w", outputs, inputs, 3, 3)], ("pads", new long[] { pad, pad, pad, pad }));

    private static Value Gemm(FoldCase test, Value x, int inputs, int outputs, string name) =>
        test.Graph.Named(name, "Gemm", [x, test.Weight($"{name}_w", inputs, outputs), test.Weight($"{name}_b", outputs)]);
}

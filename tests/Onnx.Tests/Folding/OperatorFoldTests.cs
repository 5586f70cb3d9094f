using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>Operators that stand between a batch normalization and the weights: what passes, on which side, and what does not.</summary>
public class OperatorFoldTests
{
    [Theory]
    [InlineData("nearest", "half_pixel")]
    [InlineData("linear", "align_corners")]
    [InlineData("linear", "asymmetric")]
    [InlineData("cubic", "half_pixel")]
    public void Fold_BehindResize_MovesToTheConv(string mode, string coordinates)
    {
        var test = new FoldCase(opset: 13);
        var h = Resize(test, Conv(test, test.Input(2, 3, 6, 6)), mode, coordinates, 1, 1, 2, 1.5f);
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BehindResizeToSizes_MovesToTheConv()
    {
        var test = new FoldCase(opset: 13);
        var h = Conv(test, test.Input(2, 3, 6, 6));
        h = test.Graph.Node("Resize", [h, Value.None, Value.None, test.Graph.Integers(2, 4, 9, 5)], ("mode", "linear"));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BehindResizeOfNamedAxes_MovesToTheConv()
    {
        var test = new FoldCase(opset: 18);
        var scales = test.Graph.Initializer(TensorData.Create("scales", [2f, 1.5f], 2));
        var h = test.Graph.Node(
            "Resize", [Conv(test, test.Input(2, 3, 6, 6)), Value.None, scales], ("mode", "linear"), ("axes", new long[] { 2, -1 }));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BehindSplitIntoANumberOfParts_MapsEachPartByItself()
    {
        // From operator set 18 on the last part may be smaller.
        var test = new FoldCase(opset: 18);
        var parts = test.Graph.Nodes("Split", [Conv(test, test.Input(2, 3, 5, 5), 7)], 3, ("axis", 1), ("num_outputs", 3));
        var last = test.BatchNorm(parts[2], 1);
        Gone(test.Fold(test.Graph.Node("Concat", [parts[0], last, test.Graph.Node("Sigmoid", [parts[1]])], ("axis", 1))));
    }

    [Fact]
    public void Fold_BehindUpsample_MovesToTheConv()
    {
        var test = new FoldCase(opset: 9);
        var scales = test.Graph.Initializer(TensorData.Create("scales", [1f, 1, 2, 2], 4));
        Gone(test.Fold(test.BatchNorm(test.Graph.Node("Upsample", [Conv(test, test.Input(2, 3, 6, 6)), scales], ("mode", "linear")), 4)));
    }

    [Fact]
    public void Fold_BeforeResizeAndConv_MovesToTheConv()
    {
        var test = new FoldCase(opset: 13);
        Gone(test.Fold(Conv(test, Resize(test, test.BatchNorm(test.Input(2, 3, 4, 4), 3), "linear", "half_pixel", 1, 1, 2, 2))));
    }

    [Fact]
    public void Fold_BehindResizeOfTheChannels_Declines()
    {
        var test = new FoldCase(opset: 13);
        var h = Resize(test, Conv(test, test.Input(2, 3, 6, 6)), "nearest", "asymmetric", 1, 2, 1, 1);
        Declined(test.Fold(test.BatchNorm(h, 8)), "resizes the channels");
    }

    [Fact]
    public void Fold_BehindACutOutThatFillsWithAConstant_Declines()
    {
        var test = new FoldCase(opset: 13);
        var box = test.Graph.Initializer(TensorData.Create("box", [0f, 0, -0.5f, 0, 1, 1, 1.5f, 1], 8));
        var h = test.Graph.Node(
            "Resize", [Conv(test, test.Input(2, 3, 6, 6)), box, Value.None, test.Graph.Integers(2, 4, 8, 6)], ("mode", "linear"),
            ("coordinate_transformation_mode", "tf_crop_and_resize"));
        Declined(test.Fold(test.BatchNorm(h, 4)), "fills what lies outside");
    }

    [Theory]
    [InlineData("DCR")]
    [InlineData("CRD")]
    public void Fold_BehindDepthToSpace_GivesEveryChannelItsMap(string mode)
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("DepthToSpace", [Conv(test, test.Input(2, 3, 4, 4), 12)], ("blocksize", 2), ("mode", mode));
        Gone(test.Fold(test.BatchNorm(h, 3)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_AroundSpaceToDepth_NeedsEqualMapsOnlyBehind(bool behind)
    {
        var test = new FoldCase(opset: 13);
        var h = behind ? Conv(test, test.Input(2, 3, 5, 5)) : test.BatchNorm(test.Input(2, 4, 4, 4), 4);
        h = test.Graph.Node("SpaceToDepth", [h], ("blocksize", 2));
        var result = test.Fold(behind ? test.BatchNorm(h, 16) : Conv(test, h, 5, 16, 1));
        if (behind) Declined(result, "mapped differently");
        else Gone(result);
    }

    [Fact]
    public void Fold_BehindUnevenSplit_MapsEachPartByItself()
    {
        var test = new FoldCase(opset: 13);
        var parts = test.Graph.Nodes("Split", [Conv(test, test.Input(2, 3, 5, 5), 7), test.Graph.Integers(2, 4, 1)], 3, ("axis", -3));
        var a = test.BatchNorm(parts[0], 2, "bn_a");
        var c = test.BatchNorm(parts[1], 4, "bn_b");
        Gone(test.Fold(test.Graph.Node("Concat", [a, test.Graph.Node("Sigmoid", [parts[2]]), c], ("axis", 1))));
    }

    [Fact]
    public void Fold_BeforeSplitAndConvs_MapsEachPart()
    {
        var test = new FoldCase(opset: 13);
        var parts = test.Graph.Nodes("Split", [test.BatchNorm(test.Input(2, 6, 4, 4), 6)], 2, ("axis", 1));
        Gone(test.Fold(test.Graph.Node("Add", [Conv(test, parts[0]), Conv(test, parts[1])])));
    }

    [Fact]
    public void Fold_BehindSlicesOfTheChannels_MapsEachByItself()
    {
        // x[:, :3], normalized, beside x[:, 3:], which is not.
        var test = new FoldCase(opset: 13);
        var h = Conv(test, test.Input(2, 3, 5, 5), 7);
        var first = Slice(test, h, 0, 3, 1, 1);
        var rest = Slice(test, h, 3, long.MaxValue, 1, 1);
        Gone(test.Fold(test.Graph.Node("Concat", [test.BatchNorm(first, 3), rest], ("axis", 1))));
    }

    [Fact]
    public void Fold_BehindSlicesThatOverlap_Declines()
    {
        var test = new FoldCase(opset: 13);
        var h = Conv(test, test.Input(2, 3, 5, 5), 7);
        var result = test.Fold(test.Graph.Node(
            "Concat", [test.Graph.Node("Relu", [test.BatchNorm(Slice(test, h, 0, 3, 1, 1), 3)]), Slice(test, h, 2, 7, 1, 1)], ("axis", 1)));
        Declined(result, "also read by Slice");
    }

    [Theory]
    [InlineData(-1, long.MinValue, -2)]
    [InlineData(1, 6, 2)]
    public void Fold_BehindASliceWithSteps_MapsTheChannelsItTakes(long start, long end, long step)
    {
        var test = new FoldCase(opset: 13);
        var h = Slice(test, Conv(test, test.Input(2, 3, 5, 5), 7), start, end, 1, step);
        Gone(test.Fold(test.BatchNorm(h, step < 0 ? 4 : 3)));
    }

    [Fact]
    public void Fold_BehindASliceOfLocations_MovesToTheConv()
    {
        var test = new FoldCase(opset: 13);
        Gone(test.Fold(test.BatchNorm(Slice(test, Conv(test, test.Input(2, 3, 6, 6)), 1, -1, 2, 1), 4)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_AroundGatherOfChannels_FollowsThem(bool behind)
    {
        // Channels in another order; behind, one of them twice, so that two maps would meet in it.
        var test = new FoldCase(opset: 13);
        long[] picks = behind ? [3, 0, -2] : [2, 0, 2, -1];
        var indices = test.Graph.Initializer(TensorData.Create("indices", picks, picks.Length));
        var h = behind ? Conv(test, test.Input(2, 3, 5, 5)) : test.BatchNorm(test.Input(2, 3, 5, 5), 3);
        h = test.Graph.Node("Gather", [h, indices], ("axis", 1));
        Gone(test.Fold(behind ? test.BatchNorm(h, 3) : Conv(test, h, 5, 4)));
    }

    [Fact]
    public void Fold_BehindGatherThatRepeatsAChannel_Declines()
    {
        var test = new FoldCase(opset: 13);
        var indices = test.Graph.Initializer(TensorData.Create("indices", [0L, 0], 2));
        Declined(
            test.Fold(test.BatchNorm(test.Graph.Node("Gather", [Conv(test, test.Input(2, 3, 5, 5)), indices], ("axis", 1)), 2)),
            "gives one channel several times");
    }

    [Fact]
    public void Fold_BehindGatherOfOneStep_FollowsTheChannelsToTheFront()
    {
        // The last step of a sequence: [N, L, C] becomes [N, C].
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("MatMul", [test.Input(2, 5, 3), test.Weight("w", 3, 4)]);
        h = test.Graph.Node("Gather", [h, test.Graph.Initializer(TensorData.Create("last", new long[] { -1 }))], ("axis", 1));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fold_GhostBatchesThatWereCutByOperators_GoTogether(bool slices)
    {
        var (test, parts) = Ghosts(slices);
        var h = test.Graph.Node("Concat", [.. parts.Select((part, i) => Ghost(test, part, i, "bn"))], ("axis", 0));
        var result = test.Fold(h);
        Gone(result);
        Assert.Equal(3, result.BatchNorms.Count);
        Assert.All(result.BatchNorms, outcome => Assert.Equal("Gemm", outcome.Into));
    }

    [Fact]
    public void Fold_GhostBatchesWithStatisticsOfTheirOwn_Stay()
    {
        var (test, parts) = Ghosts(slices: false);
        var h = test.Graph.Node("Concat", [.. parts.Select((part, i) => test.BatchNorm(part, 4, $"bn{i}"))], ("axis", 0));
        Declined(test.Fold(h), "is not normalized in the same way");
    }

    [Fact]
    public void Fold_TwoEqualBatchNormsOfOneValue_FoldTogether()
    {
        var test = new FoldCase();
        var conv = Conv(test, test.Input(2, 3, 5, 5));
        var h = test.Graph.Node("Add", [test.Graph.Node("Relu", [Ghost(test, conv, 0, "bn")]), Ghost(test, conv, 1, "bn")]);
        Gone(test.Fold(h));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(0, false)]
    [InlineData(1, false)]
    public void Fold_AroundReduceSum_DividesOrMultipliesTheShift(int keep, bool behind)
    {
        var test = new FoldCase(opset: 13);
        var h = behind ? Conv(test, test.Input(2, 3, 5, 6)) : test.BatchNorm(test.Input(2, 4, 5, 6), 4);
        h = test.Graph.Node("ReduceSum", [h, test.Graph.Integers(2, -1)], ("keepdims", keep));
        if (behind) h = test.BatchNorm(h, 4);
        else if (keep == 1) h = Conv(test, h, 5, 4, 1);
        else h = test.Graph.Node("MatMul", [h, test.Weight("w", 4, 3)]);
        Gone(test.Fold(h));
    }

    [Fact]
    public void Fold_BehindReduceSumOfAnUnknownNumber_Declines()
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("MatMul", [test.Input(2, "L", 3), test.Weight("w", 3, 4)]);
        h = test.Graph.Node("ReduceSum", [h, test.Graph.Integers(1)], ("keepdims", 0));
        var outcome = test.Fold(test.BatchNorm(h, 4)).BatchNorms[0];
        Assert.Contains("how many elements", outcome.Reason);
        Assert.Contains("were declared", outcome.WouldFoldIf);
    }

    [Theory]
    [InlineData("ReduceMax")]
    [InlineData("ReduceMin")]
    public void Fold_BehindALargestElement_FoldsWhenNoScaleIsNegative(string op)
    {
        foreach (var positive in new[] { true, false })
        {
            var test = new FoldCase(opset: 13);
            var h = test.Graph.Node(op, [Conv(test, test.Input(2, 3, 5, 5))], ("axes", new long[] { 2, 3 }), ("keepdims", 0));
            var result = test.Fold(test.BatchNorm(h, 4, positive: positive));
            if (positive) Gone(result);
            else Declined(result, "would pick another element");
        }
    }

    [Theory]
    [InlineData("Expand")]
    [InlineData("Tile")]
    public void Fold_BehindRepetition_MovesToTheConv(string op)
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("GlobalAveragePool", [Conv(test, test.Input(2, 3, 5, 5))]);
        h = test.Graph.Node(op, [h, op == "Expand" ? test.Graph.Integers(2, 1, 3, 4) : test.Graph.Integers(1, 1, 3, 4)]);
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Fact]
    public void Fold_BeforeTileOfTheChannels_RepeatsTheMap()
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("Tile", [test.BatchNorm(test.Input(2, 3, 5, 5), 3), test.Graph.Integers(1, 2, 1, 1)]);
        Gone(test.Fold(Conv(test, h, 5, 6)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fold_AroundNeg_TurnsTheShift(bool behind)
    {
        var test = new FoldCase();
        var h = behind ? Conv(test, test.Input(2, 3, 5, 5)) : test.BatchNorm(test.Input(2, 4, 5, 5), 4);
        h = test.Graph.Node("Identity", [test.Graph.Node("Neg", [test.Graph.Node("Identity", [h])])]);
        Gone(test.Fold(behind ? test.BatchNorm(h, 4) : Conv(test, h, 5, 4)));
    }

    [Fact]
    public void Fold_BehindCastToAWiderType_MovesToTheConv()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Cast", [Conv(test, test.Input(2, 3, 5, 5))], ("to", (long)DataType.Double));
        var wide = new FoldCase(seed: 7, type: DataType.Double);
        Value Parameter(string name, double low, double high) => test.Graph.Initializer(wide.Tensor(name, low, high, 4));
        h = test.Graph.Node(
            "BatchNormalization", [h, Parameter("g", 0.5, 2), Parameter("b", -1, 1), Parameter("m", -1, 1), Parameter("v", 0.5, 2)]);
        Gone(test.Fold(test.Graph.Node("Cast", [h], ("to", (long)DataType.Float))));
    }

    [Fact]
    public void Fold_BehindCastOfWholeNumbers_Declines()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Cast", [Conv(test, test.Input(2, 3, 5, 5))], ("to", (long)DataType.Int32));
        h = test.Graph.Node("Cast", [h], ("to", (long)DataType.Float));
        Declined(test.Fold(test.BatchNorm(h, 4), tolerance: 1), "makes something else than real numbers");
    }

    [Theory]
    [InlineData("ni,io->no", "5,6", "6,4", false)]
    [InlineData("io,ni->no", "5,6", "6,4", true)]
    [InlineData("...i,io->...o", "5,6", "6,4", false)]
    [InlineData("nchw,co->nohw", "2,6,3,3", "6,4", false)]
    [InlineData("nhi,hio->no", "5,2,6", "2,6,4", false)]
    [InlineData("nc,c->nc", "5,4", "4", false)]
    [InlineData("ni,io", "5,6", "6,4", false)]
    public void Fold_BehindEinsum_ScalesTheAxisOfItsConstant(string equation, string data, string weights, bool first)
    {
        var test = new FoldCase(opset: 13);
        var x = test.Input([.. data.Split(',').Select(size => (TensorDimension)long.Parse(size))]);
        var w = test.Weight("w", [.. weights.Split(',').Select(long.Parse)]);
        var h = test.Graph.Node("Einsum", first ? [w, x] : [x, w], ("equation", equation));
        Gone(test.Fold(test.BatchNorm(h, 4)));
    }

    [Theory]
    [InlineData("ni,io->no", "5,4", "4,3")]
    [InlineData("nchw,co->nohw", "2,4,3,3", "4,3")]
    [InlineData("...hw,ho->...wo", "2,4,3,3", "3,5")]
    [InlineData("nci,cio->nco", "5,4,6", "4,6,3")]
    [InlineData("nct,co->onct", "5,4,6", "4,3")]
    public void Fold_BeforeEinsum_ScalesItAndAddsTheShift(string equation, string data, string weights)
    {
        var test = new FoldCase(opset: 13);
        var x = test.Input([.. data.Split(',').Select(size => (TensorDimension)long.Parse(size))]);
        var w = test.Weight("w", [.. weights.Split(',').Select(long.Parse)]);
        var result = test.Fold(test.Graph.Node("Einsum", [test.BatchNorm(x, 4), w], ("equation", equation)));
        // Where the constant does not have the channels, nothing takes the map in.
        if (equation.Contains("hw,ho", StringComparison.Ordinal)) Declined(result, "does not have the channels");
        else if (equation.Contains("nci", StringComparison.Ordinal) || !equation.Contains("onct", StringComparison.Ordinal)) Gone(result);
    }

    [Theory]
    [InlineData(13)]
    [InlineData(10)]
    public void Fold_BeforeClipAndConv_MovesTheBounds(int opset)
    {
        // Scales of both signs: a negative one exchanges the bounds.
        var test = new FoldCase(opset);
        var result = test.Fold(Conv(test, Clip(test, test.BatchNorm(test.Input(3, 4, 5, 5), 4), -0.3f, 0.7f), 5, 4));
        Gone(result);
        Assert.Equal(["Max", "Min", "Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_BeforeClipWithOneBound_BecomesTwoWhereSignsDiffer()
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("Clip", [test.BatchNorm(test.Input(3, 4, 5, 5), 4), Value.None, test.Graph.Constant(0.2f)]);
        Gone(test.Fold(Conv(test, h, 5, 4)));
    }

    [Fact]
    public void Fold_BeforeClipWithAChannelScaledByZero_GivesItsConstant()
    {
        var test = new FoldCase(opset: 13);
        Value[] parameters =
        [
            test.Graph.Initializer(TensorData.Create("gamma", [1.5f, 0, -0.5f, 0], 4)),
            test.Graph.Initializer(TensorData.Create("beta", [0.1f, 2, 0.1f, -2], 4)), test.Weight("mean", 4),
            test.WeightBetween(0.5, 2, "variance", 4),
        ];
        var h = Clip(test, test.Graph.Node("BatchNormalization", [test.Input(3, 4, 5, 5), .. parameters]), -1, 1);
        Gone(test.Fold(Conv(test, h, 5, 4)));
    }

    [Fact]
    public void Fold_BehindClipThatStaysOne_MovesToTheConv()
    {
        // One scale and shift for all channels.
        var test = new FoldCase(opset: 13);
        Value Parameter(string name, float value) => test.Graph.Initializer(TensorData.Create(name, [value, value, value, value], 4));
        var h = Clip(test, Conv(test, test.Input(3, 3, 5, 5)), -0.4f, 0.5f);
        h = test.Graph.Node(
            "BatchNormalization", [h, Parameter("g", -1.5f), Parameter("b", 0.3f), Parameter("m", 0.1f), Parameter("v", 0.5f)]);
        var result = test.Fold(h);
        Gone(result);
        Assert.Equal(["Conv", "Clip"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_BehindClipThatWouldBecomeTwo_Declines()
    {
        var test = new FoldCase(opset: 13);
        Declined(test.Fold(test.BatchNorm(Clip(test, Conv(test, test.Input(3, 3, 5, 5)), 0, 6), 4)), "would become two operators");
    }

    [Fact]
    public void Fold_BeforeAFactorPerChannel_PassesItWithItsShift()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("Flatten", [test.BatchNorm(test.Input("N", 4, 2, 2), 4)]);
        h = test.Graph.Node("Mul", [h, test.Weight("k", 16)]);
        Gone(test.Fold(test.Graph.Node("Gemm", [h, test.Weight("w", 16, 3)])));
    }

    private static (FoldCase Test, Value[] Parts) Ghosts(bool slices)
    {
        var test = new FoldCase(opset: 13);
        var h = test.Graph.Node("Gemm", [test.Input(9, 5), test.Weight("w", 5, 4)]);
        return (test, slices
            ? [Slice(test, h, 0, 3, 0, 1), Slice(test, h, 3, 6, 0, 1), Slice(test, h, 6, 9, 0, 1)]
            : test.Graph.Nodes("Split", [h], 3, ("axis", 0)));
    }

    // Batch normalizations that share their parameters.
    private static Value Ghost(FoldCase test, Value x, int index, string name) => index == 0
        ? test.BatchNorm(x, 4, name)
        : test.Graph.Node(
            "BatchNormalization",
            [x, new Value($"{name}_gamma"), new Value($"{name}_beta"), new Value($"{name}_mean"), new Value($"{name}_var")]);

    private static Value Conv(FoldCase test, Value x, int outputs = 4, int inputs = 3, int kernel = 2) => test.Graph.Node(
        "Conv", [x, test.Weight("conv_w", outputs, inputs, kernel, kernel), test.Weight("conv_b", outputs)]);

    private static Value Resize(FoldCase test, Value x, string mode, string coordinates, params float[] scales) => test.Graph.Node(
        "Resize", [x, Value.None, test.Graph.Initializer(TensorData.Create("scales", scales, scales.Length))], ("mode", mode),
        ("coordinate_transformation_mode", coordinates));

    private static Value Slice(FoldCase test, Value x, long start, long end, long axis, long step) => test.Graph.Node(
        "Slice",
        [x, test.Graph.Integers(start), test.Graph.Integers(end), test.Graph.Integers(axis), test.Graph.Integers(step)]);

    private static Value Clip(FoldCase test, Value x, float low, float high) => test.Graph.Opset < 11
        ? test.Graph.Node("Clip", [x], ("min", low), ("max", high))
        : test.Graph.Node("Clip", [x, test.Graph.Constant(low), test.Graph.Constant(high)]);

    private static void Gone(FoldResult result)
    {
        Assert.Equal(0, FoldCase.Count(result.Model.Proto, "BatchNormalization"));
        Assert.All(result.BatchNorms, outcome => Assert.Equal(FoldStatus.Folded, outcome.Status));
    }

    private static void Declined(FoldResult result, string reason)
    {
        Assert.Equal(FoldStatus.Declined, result.BatchNorms[0].Status);
        Assert.Contains(reason, result.BatchNorms[0].Reason);
        Assert.NotEmpty(result.BatchNorms[0].WouldFoldIf);
    }
}

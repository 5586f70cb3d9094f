using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class ConvFoldTests
{
    public static TheoryData<int, int, bool, bool, bool> Forms()
    {
        var data = new TheoryData<int, int, bool, bool, bool>();
        foreach (var spatial in new[] { 1, 2, 3 })
        {
            foreach (var group in new[] { 1, 2, 6 })
            {
                foreach (var bias in new[] { false, true })
                {
                    data.Add(spatial, group, bias, true, true);
                    data.Add(spatial, group, bias, true, false);
                    data.Add(spatial, group, bias, false, false);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Fold_ConvOfEveryForm_MatchesOriginal(int spatial, int group, bool bias, bool behind, bool padded)
    {
        var test = new FoldCase();
        var h = test.Input([2, 6, .. Enumerable.Repeat((TensorDimension)7, spatial)]);
        if (!behind) h = test.BatchNorm(h, 6);
        h = Conv(test, h, spatial, group, bias, padded);
        if (behind) h = test.BatchNorm(h, 12);
        var result = test.Fold(h);
        Assert.Equal(["Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Fold_ConvTransposeOfEveryForm_MatchesOriginal(int group, bool bias)
    {
        var test = new FoldCase();
        Value[] inputs = [test.Input(2, 6, 5, 5), test.Weight("w", 6, 4, 3, 3)];
        if (bias) inputs = [.. inputs, test.Weight("b", 4 * group)];
        var h = test.Graph.Node(
            "ConvTranspose", inputs, ("group", group), ("strides", new long[] { 2, 2 }), ("output_padding", new long[] { 1, 1 }),
            ("pads", new long[] { 1, 1, 1, 1 }));
        var result = test.Fold(test.BatchNorm(h, 4 * group));
        Assert.Equal(["ConvTranspose"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ConvTransposeWithAsManyInputsAsOutputs_ScalesTheOutputAxis()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("ConvTranspose", [test.Input(2, 5, 4, 4), test.Weight("w", 5, 5, 3, 3)]);
        Assert.Equal(0, FoldCase.Count(test.Fold(test.BatchNorm(h, 5)).Model.Proto, "BatchNormalization"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Fold_BatchNormBeforePointwiseConvTranspose_MatchesOriginal(int group)
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 6, 4, 4), 6);
        var result = test.Fold(test.Graph.Node("ConvTranspose", [h, test.Weight("w", 6, 3, 1, 1)], ("group", group)));
        Assert.Equal(["ConvTranspose"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_BatchNormBeforeWideConvTranspose_MovesTheScaleOnly()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 6, 4, 4), 6);
        var result = test.Fold(test.Graph.Node("ConvTranspose", [h, test.Weight("w", 6, 3, 3, 3)]));
        Assert.Equal(["Add", "ConvTranspose"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Contains("taps", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BatchNormBeforePaddedConv_MovesTheScaleOnly()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 6, 7, 7), 6);
        var result = test.Fold(Conv(test, h, 2, 2, bias: true, padded: true));
        Assert.Equal(["Add", "Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal(FoldStatus.Rewritten, result.BatchNorms[0].Status);
        Assert.Contains("pads with zeros", result.BatchNorms[0].Reason);
    }

    [Fact]
    public void Fold_BatchNormWithoutShiftBeforePaddedConv_MatchesOriginal()
    {
        var test = new FoldCase();
        var zero = test.WeightBetween(0, 0, "zero", 6);
        var h = test.Graph.Node(
            "BatchNormalization", [test.Input(2, 6, 7, 7), test.Weight("gamma", 6), zero, zero, test.WeightBetween(1, 2, "variance", 6)]);
        var result = test.Fold(Conv(test, h, 2, 1, bias: true, padded: true));
        Assert.Equal(["Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Theory]
    [InlineData("VALID", "Conv")]
    [InlineData("SAME_UPPER", "Add,Conv")]
    [InlineData("SAME_LOWER", "Add,Conv")]
    public void Fold_BatchNormBeforeConvWithAutoPad_MovesWhatMayMove(string autoPad, string expected)
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Input(2, 6, 7, 7), 6);
        var result = test.Fold(test.Graph.Node("Conv", [h, test.Weight("w", 4, 6, 3, 3)], ("auto_pad", autoPad)));
        Assert.Equal(expected.Split(','), result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ConvBatchNormConvBatchNorm_FoldsBoth()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(Conv(test, test.Input(2, 6, 7, 7), 2, 1, bias: false, padded: true), 12, "bn1");
        h = test.Graph.Node("Conv", [h, test.Weight("w2", 4, 12, 3, 3)]);
        var result = test.Fold(test.BatchNorm(h, 4, "bn2"));
        Assert.Equal(["Conv", "Conv"], result.Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_WeightsTakeInSeveralMaps_AreRoundedOnce()
    {
        // 3 is the first integer whose reciprocal is not exact: rounding between the maps would leave 0.99999994 in some places.
        var test = new FoldCase();
        var third = test.Graph.Initializer(TensorData.Create("third", [1f / 3f], 1));
        var one = test.Graph.Initializer(TensorData.Create("one", [1f], 1));
        var zero = test.Graph.Initializer(TensorData.Create("zero", [0f], 1));
        var three = test.Graph.Initializer(TensorData.Create("three", [3f], 1));
        var w = test.Graph.Initializer(TensorData.Create("w", [0.1f], 1, 1, 1));
        var h = test.Graph.Node("Conv", [test.Input(1, 1, 2), w]);
        h = test.Graph.Node("BatchNormalization", [h, third, zero, zero, one], ("epsilon", 0f));
        h = test.Graph.Node("BatchNormalization", [h, three, zero, zero, one], ("epsilon", 0f));
        var folded = test.Fold(h).Model.Proto.Graph;
        var expected = (float)((double)0.1f * (1f / 3f) * 3f);
        Assert.Equal([expected], TensorData.ToFloats(folded.Initializer.Single(tensor => tensor.Dims.Count == 3)));
    }

    private static Value Conv(FoldCase test, Value h, int spatial, int group, bool bias, bool padded)
    {
        Value[] inputs = [h, test.Weight("w", [12, 6 / group, .. Enumerable.Repeat(3L, spatial)])];
        if (bias) inputs = [.. inputs, test.Weight("b", 12)];
        var pads = Enumerable.Repeat(padded ? 1L : 0L, 2 * spatial).ToArray();
        return test.Graph.Node("Conv", inputs, ("group", group), ("pads", pads), ("strides", Enumerable.Repeat(2L, spatial).ToArray()));
    }
}

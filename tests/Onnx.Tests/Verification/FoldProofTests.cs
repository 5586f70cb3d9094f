using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

/// <summary>What is folded, declined and written, from file to file.</summary>
public sealed class FoldProofTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlnetbn-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(FoldProof.Parts)]
    [InlineData(FoldProof.Served)]
    public void FoldFile_OneFoldLosesDigits_IsDeclinedAloneWithItsNumber(FoldProof proof)
    {
        var test = new FoldCase();
        var h = Normalized(test, test.Input("N", 3), mean: 1e6, variance: 1, "years");
        h = test.Graph.Node("Tanh", [test.Graph.Node("Gemm", [h, test.Weight("w1", 3, 4)])]);
        h = test.BatchNorm(test.Graph.Node("Gemm", [h, test.Weight("w2", 4, 4)]), 4, "good");
        var result = Fold(test, h, proof, "N", 4);
        Assert.True(result.IsWritten);
        var (years, good) = (result.Fold.BatchNorms[0], result.Fold.BatchNorms[1]);
        Assert.Equal((FoldStatus.Declined, FoldStatus.Folded), (years.Status, good.Status));
        Assert.StartsWith("folding it would lose digits: ", years.Reason, StringComparison.Ordinal);
        // A mean of 1e6 deviations takes 20 of 24 bits.
        Assert.InRange(years.RelativeError!.Value, 1e-3, 1);
        Assert.InRange(years.RelativeErrorBefore!.Value, 0, 1e-6);
        Assert.InRange(good.RelativeError!.Value, 0, 1e-6);
        Assert.Equal(1, FoldCase.Count(Written(), "BatchNormalization"));
    }

    [Fact]
    public void FoldFile_ConstantTakesAwayWhatTheMeanDoesNot_IsDeclinedAsWell()
    {
        // (x − 1e6) is normalized with a mean near 0: joined to one map, the two cancel again.
        var test = new FoldCase();
        var h = test.Graph.Node("Sub", [test.Input("N", 3), Filled(test, "c", 3, 1e6)]);
        h = test.Graph.Node("Tanh", [Normalized(test, h, mean: 0.3, variance: 0.7, "bn")]);
        var result = Fold(test, h, FoldProof.Parts, "N", 3);
        Assert.Equal(FoldStatus.Declined, result.Fold.BatchNorms[0].Status);
        Assert.InRange(result.Fold.BatchNorms[0].RelativeError!.Value, 1e-3, 1);
        Assert.Equal(["Sub", "BatchNormalization", "Tanh"], Written().Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void FoldFile_MeanFarFromZeroBehindALayer_FoldsSinceTheLayerHasLostTheDigits()
    {
        var test = new FoldCase();
        var layer = test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4), Filled(test, "b", 4, 1e5)]);
        var result = Fold(test, Normalized(test, layer, mean: 1e5, variance: 1, "bn", 4), FoldProof.Parts, "N", 4);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
    }

    [Theory]
    [InlineData(60000, 1e-4, FoldStatus.Declined)]
    [InlineData(60000, 1, FoldStatus.Folded)]
    public void FoldFile_HalfWeightsWouldVanish_IsDeclined(double variance, double gamma, FoldStatus expected)
    {
        // 0.25·1e-4/245 is two times the smallest number of float16; what comes out is a thousand times as large, and has its digits.
        var test = new FoldCase(type: DataType.Float16);
        var conv = test.Graph.Node("Conv", [test.Input("N", 3, 4, 4), test.Weight("w", 4, 3, 1, 1)]);
        Value Parameter(string name, double value) =>
            test.Graph.Initializer(TensorData.FromDoubles(name, DataType.Float16, Enumerable.Repeat(value, 4).ToArray(), 4));
        var norm = test.Graph.Named(
            "bn", "BatchNormalization",
            [conv, Parameter("gamma", gamma), Parameter("beta", 0), Parameter("mean", 0), Parameter("variance", variance)]);
        test.Graph.Output("y", norm, DataType.Float16, "N", 4, 4, 4);
        var outcome = Fold(test.Graph.Build(), FoldProof.Parts).Fold.BatchNorms[0];
        Assert.Equal(expected, outcome.Status);
        Assert.Equal(expected == FoldStatus.Declined, outcome.RelativeError > 1e-2);
    }

    [Fact]
    public void FoldFile_SigmoidNearZero_IsNoDifference()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Conv", [test.Input(1, 3, 8, 8), test.Weight("w", 4, 3, 3, 3)]), 4);
        h = test.Graph.Node("Conv", [test.Graph.Node("Relu", [h]), test.WeightBetween(-9, 9, "v", 1, 4, 1, 1), Filled(test, "b", 1, -60)]);
        var result = Fold(test, test.Graph.Node("Sigmoid", [h]), FoldProof.Served, 1, 1, 6, 6);
        Assert.True(result.IsWritten);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.InRange(result.Fold.BatchNorms[0].RelativeError!.Value, 0, 1e-6);
    }

    [Theory]
    [InlineData("Dropout")]
    [InlineData("RandomNormalLike")]
    [InlineData("Bernoulli")]
    public void FoldFile_RandomModel_IsProvedByPartsAndSaysWhyNotAsAWhole(string random)
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        h = test.Graph.Node("Sigmoid", [h]);
        h = random == "Dropout"
            ? test.Graph.Node("Dropout", [h, test.Graph.Constant(0.5f), test.Graph.Initializer(Truth())])
            : test.Graph.Node(random, [h]);
        var result = Fold(test, h, FoldProof.Served, "N", 4);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.Null(result.Comparison);
        Assert.Contains("gives other answers each time that it runs", result.WhyNotCompared, StringComparison.Ordinal);
        Assert.True(result.IsWritten);
    }

    [Fact]
    public void FoldFile_NothingToFoldAndInputsThatCannotBeGuessed_IsWritten()
    {
        var graph = new GraphBuilder("huge");
        graph.Output("y", graph.Node("Relu", [graph.Input("x", DataType.Float, 1L << 20, 1L << 20)]), DataType.Float, 1L << 20, 1L << 20);
        var result = Fold(graph.Build(), FoldProof.Served);
        Assert.True(result.IsWritten);
        Assert.Contains("No generated inputs fit the model", result.WhyNotCompared, StringComparison.Ordinal);
    }

    [Fact]
    public void FoldFile_CustomOperatorElsewhere_IsProvedByParts()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        var model = Model(test, h, "N", 4);
        model.Graph.Node.Add(new NodeProto { OpType = "Magic", Domain = "my.own", Input = { "y" }, Output = { "z" } });
        model.Graph.Output.Add(ValueInfo.Of("z", DataType.Float, "N", 4));
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "my.own", Version = 1 });
        Proved(model);
    }

    [Theory]
    [InlineData("Double", 1e-13)]
    [InlineData("Bfloat16", 2e-2)]
    public void FoldFile_ConvolutionOfATypeThatOnnxRuntimeLacks_IsProvedByParts(string name, double error)
    {
        var type = Enum.Parse<DataType>(name);
        var test = new FoldCase(type: type);
        var h = test.BatchNorm(test.Graph.Node("Conv", [test.Input("N", 3, 5, 5), test.Weight("w", 4, 3, 3, 3)]), 4);
        test.Graph.Output("y", h, type, "N", 4, 3, 3);
        Proved(test.Graph.Build(), error);
    }

    [Fact]
    public void FoldFile_OperatorSet6_IsProvedByParts()
    {
        var test = new FoldCase(opset: 6);
        var h = test.Graph.Node("Conv", [test.Input(1, 3, 5, 5), test.Weight("w", 4, 3, 3, 3)]);
        h = test.Graph.Node("Add", [h, test.Weight("c", 4)], ("broadcast", 1), ("axis", 1));
        h = test.BatchNorm(h, 4, "bn", false, ("is_test", 1));
        test.Graph.Output("y", h, DataType.Float, 1, 4, 3, 3);
        Proved(test.Graph.Build(), whole: null);
    }

    [Fact]
    public void FoldFile_TwoNodesOfOneName_IsProvedByParts()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        var model = Model(test, test.Graph.Node("Relu", [h]), "N", 4);
        foreach (var node in model.Graph.Node) node.Name = "same";
        Proved(model, whole: null);
    }

    [Fact]
    public void FoldFile_TrainingModeElsewhere_FoldsTheOther()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4, "good");
        var parameters = Enumerable.Range(0, 4).Select(i => test.WeightBetween(0.5, 1, $"p{i}", 4)).ToArray();
        var outputs = test.Graph.Nodes("BatchNormalization", [test.Graph.Node("Tanh", [h]), .. parameters], 3, ("training_mode", 1));
        var result = Fold(test, outputs[0], FoldProof.Served, "N", 4);
        Assert.Equal([FoldStatus.Folded, FoldStatus.Declined], result.Fold.BatchNorms.Select(outcome => outcome.Status));
        Assert.True(result.IsWritten);
    }

    [Fact]
    public void FoldFile_ToleranceIsGiven_HoldsTheWholesToIt()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        File.WriteAllBytes(PathOf("in.onnx"), new OnnxModel(Model(test, h, "N", 4)).ToBytes());
        var result = BatchNormFolder.FoldFile(
            PathOf("in.onnx"), PathOf("out.onnx"), new FoldFileOptions { Tolerance = 1e-9 });
        Assert.False(result.IsFoldWithin);
        Assert.False(File.Exists(PathOf("out.onnx")));
    }

    [Fact]
    public void FoldFile_LargeWeights_AreWrittenAsTheyWereProved()
    {
        // Above a megabyte weights are computed when they are read.
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 600), test.Weight("w", 600, 700)]), 700);
        var model = Model(test, h, "N", 700);
        var result = Fold(model, FoldProof.Served);
        var expected = BatchNormFolder.Fold(model).Model.Proto.Graph.Initializer;
        Assert.Equal(expected, Written().Graph.Initializer);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.InRange(result.Comparison!.LargestRelative, 0, 1e-5);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(1e-4, false)]
    public void FoldFile_MoreNodesThanRuntimeLoadsInTime_IsProvedByPartsUnlessWholesAreAskedFor(double? tolerance, bool isLeft)
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 3), test.Weight("w", 3, 4)]), 4);
        var count = isLeft ? 20_000 : 200;
        for (var i = 0; i < count; i++) h = test.Graph.Node("Relu", [h]);
        ModelFile.Write(Model(test, h, "N", 4), PathOf("in.onnx"));
        var options = new FoldFileOptions { Tolerance = tolerance };

        var result = BatchNormFolder.FoldFile(PathOf("in.onnx"), PathOf("out.onnx"), options);

        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.Equal(isLeft, result.Comparison is null);
        if (isLeft) Assert.StartsWith("it has 20,002 nodes; beyond 20,000 that takes minutes", result.WhyNotCompared);
    }

    private static TensorProto Truth() =>
        new() { Name = "training", DataType = (int)DataType.Bool, RawData = Google.Protobuf.ByteString.CopyFrom(1) };

    private static Value Filled(FoldCase test, string name, int count, double value) =>
        test.Graph.Initializer(TensorData.FromDoubles(name, DataType.Float, Enumerable.Repeat(value, count).ToArray(), count));

    private static Value Normalized(FoldCase test, Value x, double mean, double variance, string name, int channels = 3) =>
        test.Graph.Named(
            name, "BatchNormalization",
            [
                x, Filled(test, $"{name}_gamma", channels, 1), Filled(test, $"{name}_beta", channels, 0),
                Filled(test, $"{name}_mean", channels, mean), Filled(test, $"{name}_variance", channels, variance),
            ]);

    private static ModelProto Model(FoldCase test, Value output, params ReadOnlySpan<TensorDimension> shape)
    {
        test.Graph.Output("y", output, DataType.Float, shape);
        return test.Graph.Build();
    }

    // The first batch normalization is folded, with an error, and the model is written although ONNX Runtime cannot run it as it is.
    private void Proved(ModelProto model, double error = 1e-6, bool? whole = false)
    {
        var result = Fold(model, FoldProof.Served);
        Assert.Equal(FoldStatus.Folded, result.Fold.BatchNorms[0].Status);
        Assert.InRange(result.Fold.BatchNorms[0].RelativeError!.Value, 0, error);
        Assert.True(result.IsWritten);
        if (whole == false)
        {
            Assert.Null(result.Comparison);
            Assert.Contains("ONNX Runtime cannot load", result.WhyNotCompared, StringComparison.Ordinal);
        }

        GraphChecker.Check(Written());
        Assert.Equal(0, FoldCase.Count(Written(), "BatchNormalization"));
    }

    private FoldFileResult Fold(FoldCase test, Value output, FoldProof proof, params ReadOnlySpan<TensorDimension> shape) =>
        Fold(Model(test, output, shape), proof);

    private FoldFileResult Fold(ModelProto model, FoldProof proof)
    {
        ModelFile.Write(model, PathOf("in.onnx"));
        return BatchNormFolder.FoldFile(PathOf("in.onnx"), PathOf("out.onnx"), new FoldFileOptions { Proof = proof });
    }

    private ModelProto Written() => ModelFile.Read(PathOf("out.onnx"));

    private string PathOf(string name) => Path.Combine(_folder, name);
}

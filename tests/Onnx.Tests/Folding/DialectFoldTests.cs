using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class DialectFoldTests
{
    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(21)]
    public void Fold_EveryOpset_MatchesOriginal(int opset)
    {
        var test = new FoldCase(opset);
        var h = test.BatchNorm(test.Graph.Node("Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]), 4);
        Assert.Equal(FoldStatus.Folded, test.Fold(h).BatchNorms[0].Status);
    }

    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(0, 1, false)]
    [InlineData(1, 0, false)]
    public void Fold_Opset6_FoldsInTestModeWithOneParameterPerChannel(int isTest, int spatial, bool folds)
    {
        // ONNX Runtime starts at opset 7, so the referee gets the same graph in the words of opset 7.
        var test = new FoldCase(6);
        var h = test.BatchNorm(
            test.Graph.Node("Conv", [test.Input(2, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]), 4,
            attributes: [("is_test", isTest), ("spatial", spatial), ("consumed_inputs", new long[] { 0, 0, 0, 1, 1 })]);
        test.Graph.Output("y", h, DataType.Float, 2, 4, 4, 4);
        var model = test.Graph.Build();
        var result = BatchNormFolder.Fold(model);
        Assert.Equal(folds ? FoldStatus.Folded : FoldStatus.Declined, result.BatchNorms[0].Status);
        if (!folds) return;
        var node = model.Graph.Node[1];
        node.Attribute.Remove(node.Attribute.Single(attribute => attribute.Name == "is_test"));
        node.Attribute.Remove(node.Attribute.Single(attribute => attribute.Name == "consumed_inputs"));
        (model.OpsetImport[0].Version, result.Model.Proto.OpsetImport[0].Version) = (7, 7);
        Assert.True(ModelComparison.Compare(new OnnxModel(model), result.Model).LargestRelative < 1e-5);
    }

    [Fact]
    public void Fold_Opset6MatMulAndAddAndGemm_WritesTheOldBroadcast()
    {
        var test = new FoldCase(6);
        NodeArgument[] isTest = [("is_test", 1)];
        var h = test.BatchNorm(test.Graph.Node("MatMul", [test.Input(2, 3), test.Weight("w", 3, 4)]), 4, "bn1", attributes: isTest);
        h = test.Graph.Node("Gemm", [test.Graph.Node("Relu", [h]), test.Weight("w2", 4, 5), test.Weight("b2", 5)], ("broadcast", 1));
        h = test.BatchNorm(h, 5, "bn2", attributes: isTest);
        test.Graph.Output("y", h, DataType.Float, 2, 5);
        var model = test.Graph.Build();
        var folded = BatchNormFolder.Fold(model).Model;
        Assert.Equal(["MatMul", "Add", "Relu", "Gemm"], folded.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal(1, Assert.Single(folded.Proto.Graph.Node[1].Attribute, attribute => attribute.Name == "broadcast").I);
        Assert.Equal(1, Assert.Single(folded.Proto.Graph.Node[3].Attribute, attribute => attribute.Name == "broadcast").I);
    }

    [Fact]
    public void Fold_SpatialZeroOnRankTwo_IsTheSameAsOne()
    {
        var test = new FoldCase(7);
        var h = test.BatchNorm(
            test.Graph.Node("Gemm", [test.Input(2, 3), test.Weight("w", 3, 4), test.Weight("b", 4)]), 4, attributes: ("spatial", 0));
        test.Graph.Output("y", h, DataType.Float, 2, 4);
        Assert.Equal(FoldStatus.Folded, BatchNormFolder.Fold(test.Graph.Build()).BatchNorms[0].Status);
    }

    [Theory]
    [InlineData(OnnxElementType.Double, 1e-14)]
    [InlineData(OnnxElementType.Float16, 4e-3)]
    public void Fold_OtherElementTypes_MatchesOriginal(OnnxElementType element, double tolerance)
    {
        var type = (DataType)element;
        var test = new FoldCase(type: type);
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input(5, 8), test.Weight("w", 8, 4), test.Weight("b", 4)]), 4);
        var result = test.Fold(h, tolerance: tolerance);
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
        Assert.All(result.Model.Proto.Graph.Initializer, tensor => Assert.Equal((int)type, tensor.DataType));
    }

    [Fact]
    public void Fold_BFloat16_RoundsTheFloat64ProductOnce()
    {
        // ONNX Runtime's CPU has no bfloat16 Gemm, so the weights themselves are compared.
        var test = new FoldCase(type: DataType.Bfloat16);
        var w = test.Tensor("w", -1, 1, 8, 4);
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input(5, 8), test.Graph.Initializer(w)]), 4);
        test.Graph.Output("y", h, DataType.Bfloat16, 5, 4);
        var model = test.Graph.Build();
        var folded = BatchNormFolder.Fold(model).Model.Proto.Graph;
        double[] Parameter(string name) => TensorData.ToDoubles(model.Graph.Initializer.Single(tensor => tensor.Name == name));
        var (gamma, variance, before) = (Parameter("bn_gamma"), Parameter("bn_var"), Parameter("w"));
        var expected = before.Select((value, i) => value * (gamma[i % 4] / Math.Sqrt(variance[i % 4] + 1e-5f))).ToArray();
        Assert.Equal(
            TensorData.FromDoubles("w_folded", DataType.Bfloat16, expected, 8, 4).RawData,
            folded.Initializer.Single(tensor => tensor.Name == "w_folded").RawData);
    }

    [Fact]
    public void Fold_Float16WeightThatWouldOverflow_Declines()
    {
        var test = new FoldCase(type: DataType.Float16);
        var h = test.Graph.Node("Gemm", [test.Input(5, 8), test.WeightBetween(100, 200, "w", 8, 4)]);
        h = test.Graph.Node(
            "BatchNormalization",
            [h, test.WeightBetween(50, 60, "g", 4), test.Weight("b", 4), test.Weight("m", 4), test.WeightBetween(1e-3, 2e-3, "v", 4)]);
        test.Graph.Output("y", h, DataType.Float16, 5, 4);
        var outcome = BatchNormFolder.Fold(test.Graph.Build()).BatchNorms[0];
        Assert.Equal(FoldStatus.Declined, outcome.Status);
        Assert.Contains("too large for Float16", outcome.Reason);
    }

    [Fact]
    public void Fold_Float16DataWithFloat32Statistics_MatchesOriginal()
    {
        // Allowed from opset 15 on.
        var test = new FoldCase(15, type: DataType.Float16);
        var mean = test.Graph.Initializer(TensorData.Create("mean", [0.1f, -0.2f, 0.3f, 0.4f], 4));
        var variance = test.Graph.Initializer(TensorData.Create("variance", [0.5f, 1.5f, 2.5f, 3.5f], 4));
        var h = test.Graph.Node("Gemm", [test.Input(5, 8), test.Weight("w", 8, 4)]);
        h = test.Graph.Node("BatchNormalization", [h, test.Weight("g", 4), test.Weight("b", 4), mean, variance]);
        test.Graph.Output("y", h, DataType.Float16, 5, 4);
        Assert.Equal(FoldStatus.Folded, BatchNormFolder.Fold(test.Graph.Build()).BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_TypedFieldsInsteadOfRawData_MatchesOriginal()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Gemm", [test.Input(5, 8), test.Weight("w", 8, 4)]), 4);
        test.Graph.Output("y", h, DataType.Float, 5, 4);
        var model = test.Graph.Build();
        foreach (var tensor in model.Graph.Initializer)
        {
            tensor.FloatData.AddRange(TensorData.ToFloats(tensor));
            tensor.ClearRawData();
        }

        Assert.Equal(FoldStatus.Folded, FoldCase.Check(model).BatchNorms[0].Status);
    }

    [Fact]
    public void Fold_ParametersFromConstantNodes_CountAsConstants()
    {
        var test = new FoldCase();
        Value Constant(TensorProto tensor) => test.Graph.Named(tensor.Name, "Constant", [], ("value", tensor));
        var h = test.Graph.Node("Conv", [test.Input(2, 3, 6, 6), Constant(test.Tensor("w", -1, 1, 4, 3, 3, 3))]);
        var gamma = Constant(test.Tensor("g", 1, 2, 4));
        var beta = test.Graph.Node("Constant", [], ("value_floats", new[] { 1f, 2f, 3f, 4f }));
        h = test.Graph.Node(
            "BatchNormalization", [h, gamma, beta, Constant(test.Tensor("m", -1, 1, 4)), Constant(test.Tensor("v", 1, 2, 4))]);
        Assert.Equal(["Conv"], test.Fold(h).Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_ParametersBehindIdentityAndConstantOfShapeAndReshape_CountAsConstants()
    {
        var test = new FoldCase();
        var w = test.Graph.Node(
            "Transpose", [test.Graph.Node("Identity", [test.Graph.Node("Identity", [test.Weight("w", 3, 3, 3, 4)])])],
            ("perm", new long[] { 3, 2, 0, 1 }));
        var ones = test.Graph.Node("ConstantOfShape", [test.Graph.Integers(4)], ("value", TensorData.Create("one", [1f], 1)));
        var zeros = test.Graph.Node("ConstantOfShape", [test.Graph.Integers(4)]);
        var beta = test.Graph.Node(
            "Squeeze", [test.Graph.Node("Reshape", [test.Weight("b", 2, 2), test.Graph.Integers(1, 4)]), test.Graph.Integers(0)]);
        var h = test.Graph.Node("BatchNormalization", [test.Graph.Node("Conv", [test.Input(2, 3, 6, 6), w]), ones, beta, zeros, ones]);
        Assert.Equal(["Conv"], test.Fold(h).Model.Proto.Graph.Node.Select(node => node.OpType));
    }

    [Fact]
    public void Fold_AbsurdConstantOfShape_AllocatesNothing()
    {
        var test = new FoldCase();
        var w = test.Graph.Node("ConstantOfShape", [test.Graph.Integers(1L << 20, 1L << 20)]);
        var h = test.BatchNorm(test.Graph.Node("MatMul", [test.Input("N", 1L << 20), w]), 4);
        test.Graph.Output("y", h, DataType.Float, "N", "M");
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidModelException>(() => BatchNormFolder.Fold(test.Graph.Build()));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 10_000_000);
    }
}

using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Folding;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public class PartProofTests
{
    [Theory]
    [InlineData("w_folded", 1.001)]
    [InlineData("w_folded", -1)]
    [InlineData("Conv_shift", 1.01)]
    public void Of_WeightIsNotWhatItShouldBe_IsNotWithin(string constant, double factor)
    {
        var (part, after) = FoldedConv();
        Assert.True(PartProof.Of(part).IsWithin);
        var tensor = after.Graph.Initializer.Single(tensor => tensor.Name == constant);
        var values = TensorData.ToDoubles(tensor);
        values[^1] *= factor;
        tensor.RawData = TensorData.FromDoubles("x", DataType.Float, values, values.Length).RawData;
        var proof = PartProof.Of(part);
        Assert.False(proof.IsWithin);
        Assert.Null(proof.WhyNot);
        Assert.InRange(proof.Relative, 1e-4, 3);
        Assert.InRange(proof.Before, 1e-9, 1e-6);
    }

    // The rows that a Slice keeps begin behind those that are drawn first.
    [Theory]
    [InlineData("N")]
    [InlineData("16")]
    public void Of_OutputWithoutElementsOnFewRows_IsJudgedOnMore(string rows)
    {
        var test = new FoldCase();
        var size = long.TryParse(rows, out var number) ? (TensorDimension)number : rows;
        var h = test.Graph.Node("MatMul", [test.Input(size, 3), test.Weight("w", 3, 4)]);
        h = test.Graph.Node("Slice", [h, test.Graph.Integers(9), test.Graph.Integers(16), test.Graph.Integers(0)]);
        test.Graph.Output("y", test.BatchNorm(h, 4), DataType.Float, "M", 4);
        var trace = new FoldTrace();
        var result = BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        var part = Assert.Single(ChangedPart.Of(trace));
        Assert.True(PartProof.Of(part).IsWithin);
        var tensor = result.Model.Proto.Graph.Initializer.Single(tensor => tensor.Name == "w_folded");
        var values = TensorData.ToDoubles(tensor);
        values[0] *= 1.01;
        tensor.RawData = TensorData.FromDoubles("x", DataType.Float, values, values.Length).RawData;
        Assert.False(PartProof.Of(part).IsWithin);
    }

    [Fact]
    public void Of_NoFiniteNumber_ProvesNothing()
    {
        var test = new FoldCase();
        var h = test.Graph.Node("MatMul", [test.Input("N", 3), test.Weight("w", 3, 4)]);
        for (var i = 0; i < 2; i++) h = test.Graph.Node("Mul", [h, test.Graph.Constant(1e30f)]);
        h = test.Graph.Node("Mul", [h, test.Graph.Constant(1e-30f)]);
        test.Graph.Output("y", test.Graph.Node("Mul", [h, test.Graph.Constant(1e-30f)]), DataType.Float, "N", 4);
        var trace = new FoldTrace();
        BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        Assert.All(ChangedPart.Of(trace), part => Assert.Contains("no finite number", PartProof.Of(part).WhyNot));
    }

    [Fact]
    public void Of_NodeOutsideOfEveryPartChanged_BelongsToAPart()
    {
        var test = new FoldCase();
        var h = test.BatchNorm(test.Graph.Node("Conv", [test.Input(1, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]), 4);
        test.Graph.Output("y", test.Graph.Node("LeakyRelu", [h], ("alpha", 0.1f)), DataType.Float, 1, 4, 4, 4);
        var trace = new FoldTrace();
        var result = BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        Assert.Single(ChangedPart.Of(trace));
        result.Model.Proto.Graph.Node.Single(node => node.OpType == "LeakyRelu").Attribute[0].F = 0.2f;
        var parts = ChangedPart.Of(trace).ToList();
        Assert.Equal(2, parts.Count);
        Assert.Single(parts, part => PartProof.Of(part).IsWithin);
    }

    [Fact]
    public void Of_SeveralFolds_AreJudgedOneByOne()
    {
        var test = new FoldCase();
        var h = test.Input("N", 3, 16, 16);
        for (var i = 0; i < 5; i++)
            h = test.Graph.Node("Sigmoid", [test.BatchNorm(test.Graph.Node("Conv", [h, test.Weight($"w{i}", 3, 3, 3, 3)]), 3, $"bn{i}")]);
        test.Graph.Output("y", h, DataType.Float, "N", 3, 6, 6);
        var trace = new FoldTrace();
        BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        var parts = ChangedPart.Of(trace).ToList();
        Assert.Equal(5, parts.Count);
        Assert.All(parts, part => Assert.Equal(["Conv", "BatchNormalization"], part.Changed.Select(node => node.OpType)));
        Assert.All(parts, part => Assert.Equal((1, 1), (part.Inputs.Count, part.Outputs.Count)));
    }

    [Fact]
    public void From_RowsOfTheUser_AreTheFirstOfThemWhereThePartBeginsAtTheInputs()
    {
        var part = FoldedConv().Part;
        var rows = Enumerable.Range(0, 100 * 108).Select(i => (float)i).ToArray();
        var data = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of(rows, 100, 3, 6, 6) };
        var inputs = new PartInputs(part).From(data)!["x"];
        Assert.Equal([64, 3, 6, 6], inputs.Exact.Shape);
        Assert.Equal(rows[..(64 * 108)], inputs.Exact.Data.Select(value => (float)value));
        Assert.True(PartProof.Of(part, null, [data]).IsWithin);
        Assert.Null(new PartInputs(part).From(new Dictionary<string, HostTensor> { ["other"] = HostTensor.Of(rows, 100, 3, 6, 6) }));
    }

    [Fact]
    public void Of_RowsOfTheUserBringAnError_IsNotWithin()
    {
        // What is normal hardly meets a weight of a billionth; a feature of billions does.
        var test = new FoldCase();
        var w = test.Graph.Initializer(TensorData.Create("w", [1f, 1e-9f], 2, 1));
        test.Graph.Output("y", test.BatchNorm(test.Graph.Node("Gemm", [test.Input("N", 2), w]), 1), DataType.Float, "N", 1);
        var trace = new FoldTrace();
        var result = BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        var part = Assert.Single(ChangedPart.Of(trace));
        var tensor = result.Model.Proto.Graph.Initializer.Single(tensor => tensor.Name == "w_folded");
        var values = TensorData.ToDoubles(tensor);
        tensor.RawData = TensorData.FromDoubles("x", DataType.Float, [values[0], 2 * values[1]], 2).RawData;
        Assert.True(PartProof.Of(part).IsWithin);
        Assert.False(PartProof.Of(part, null, [new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, 3e9f], 1, 2) }]).IsWithin);
    }

    [Fact]
    public void Of_TakesItsShapeFromAValueOutside_KnowsIt()
    {
        // The shape of a Reshape comes from the tensor that it reshapes, as PyTorch writes view(x.size(0), -1).
        var test = new FoldCase();
        var x = test.Input("N", 3, 4, 4);
        var h = test.BatchNorm(x, 3);
        var rows = test.Graph.Node("Gather", [test.Graph.Node("Shape", [x]), test.Graph.Integers(0)], ("axis", 0));
        var shape = test.Graph.Node("Concat", [rows, test.Graph.Integers(48)], ("axis", 0));
        h = test.Graph.Node("Gemm", [test.Graph.Node("Reshape", [h, shape]), test.Weight("w", 48, 5)]);
        var result = test.Fold(h, null, 1e-5, "N", 5);
        Assert.Equal(FoldStatus.Folded, result.BatchNorms[0].Status);
    }

    [Fact]
    public void Round_EachType_IsWhatTheTypeHolds()
    {
        double[] values = [1.0 / 3, 70000, 1e-8];
        Assert.Equal([(double)(float)(1.0 / 3), 70000, (double)1e-8f], PartTensor.Round(DataType.Float, values));
        Assert.Equal([(double)(Half)(1.0 / 3), double.PositiveInfinity, 0], PartTensor.Round(DataType.Float16, values));
        Assert.Equal([0, 70000, 0], PartTensor.Round(DataType.Int64, values));
        Assert.Same(values, PartTensor.Round(DataType.Double, values));
    }

    private static (ChangedPart Part, ModelProto After) FoldedConv()
    {
        var test = new FoldCase();
        var conv = test.Graph.Node("Conv", [test.Input(1, 3, 6, 6), test.Weight("w", 4, 3, 3, 3)]);
        test.Graph.Output("y", test.BatchNorm(conv, 4), DataType.Float, 1, 4, 4, 4);
        var trace = new FoldTrace();
        var result = BatchNormFolder.Fold(test.Graph.Build(), null, trace);
        return (Assert.Single(ChangedPart.Of(trace)), result.Model.Proto);
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

public class Float16Tests
{
    [Theory]
    [InlineData(GraphOptimization.None)]
    [InlineData(GraphOptimization.All)]
    public void Reduce_Weights_AreRoundedAndNothingElse(GraphOptimization optimization)
    {
        var model = Perceptron.Create(1, 40, 64, 10);
        var rounded = model.Clone();
        foreach (var tensor in rounded.Graph.Initializer.Where(tensor => tensor.Dims.Count == 2))
        {
            var halves = TensorData.ToFloats(tensor).Select(value => (float)(Half)value).ToArray();
            tensor.RawData = TensorData.Create("half", halves, halves.Length).RawData;
        }

        var x = Perceptron.Rows(2, 16, 40);
        var reduced = PrecisionReducer.Reduce(model, ModelPrecision.Float16);
        Assert.Equal(Perceptron.Run(rounded, x, optimization), Perceptron.Run(reduced.Model.Proto, x, optimization));
        Assert.Equal("float16", ModelFile.GetMetadata(reduced.Model.Proto, ModelMetadata.Precision));
        Assert.Equal(model.Graph.Input, reduced.Model.Proto.Graph.Input);
        Assert.Equal(model.Graph.Output, reduced.Model.Proto.Graph.Output);
    }

    [Fact]
    public void Reduce_LargeLayers_HalvesTheFile()
    {
        var result = PrecisionReducer.Reduce(Perceptron.Create(3, 256, 256, 256, 10), ModelPrecision.Float16);
        Assert.InRange((double)result.BytesAfter / result.BytesBefore, 0.5, 0.52);
        Assert.Equal(result.BytesAfter, ModelFile.Size(result.Model.Proto));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Reduce_NumberThatIsNotFinite_StaysFloat32(float number)
    {
        var result = PrecisionReducer.Reduce(Spoiled(w => w[7] = number), ModelPrecision.Float16);
        Assert.Equal([false, true], result.Outcomes.Select(outcome => outcome.IsReduced));
        Assert.Contains("not finite", result.Outcomes[0].Detail, StringComparison.Ordinal);
        Assert.Contains(result.Model.Proto.Graph.Initializer, tensor => tensor.Name == "w" && tensor.DataType == (int)DataType.Float);
    }

    [Theory]
    [InlineData(1e-6)]
    [InlineData(1e-30)]
    [InlineData(1e6)]
    public void Reduce_RowOutsideOfTheRange_KeepsItsDigits(double factor)
    {
        // A feature in millions has tiny weights, which count all the same; one in millionths has huge ones.
        var model = Spoiled(w =>
        {
            foreach (ref var value in w.AsSpan(80, 40)) value *= (float)factor;
        });
        var inputs = Perceptron.Inputs(Perceptron.Rows(9, 30, 40, column => column == 2 ? 1 / factor : 1));
        var check = PrecisionCheck.Run(model, ModelPrecision.Float16, inputs);
        Assert.Equal("with a power of two for each entry of its axis 0", check.Result.Outcomes[0].Detail);
        Assert.All(check.Result.Outcomes, outcome => Assert.True(outcome.IsReduced));
        Assert.InRange(check.Comparison!.LargestRelative, 1e-6, 1e-3);
    }

    [Fact]
    public void Reduce_RowAndColumnOutsideOfTheRange_StaysFloat32()
    {
        // Neither powers for rows nor powers for columns help both.
        var model = Spoiled(w =>
        {
            foreach (ref var value in w.AsSpan(80, 40)) value *= 1e9f;
            for (var row = 0; row < 40; row++) w[(row * 40) + 3] *= 1e-16f;
        });
        var result = PrecisionReducer.Reduce(model, ModelPrecision.Float16);
        Assert.Equal([false, true], result.Outcomes.Select(outcome => outcome.IsReduced));
        Assert.Contains("float16 ends at 65504", result.Outcomes[0].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Reduce_RowOfZeros_IsNoReason()
    {
        var network = new Perceptron(4);
        var w = network.Numbers(40, 40);
        w.AsSpan(80, 40).Clear();
        var y = network.Graph.Node("MatMul", [network.Input(40), network.Graph.Initializer(TensorData.Create("w", w, 40, 40))]);
        Assert.True(PrecisionCheck.Run(network.Build(y, 40), ModelPrecision.Float16).IsWithin);
    }

    [Fact]
    public void Reduce_OverridableWeight_StaysFloat32()
    {
        var model = Perceptron.Create(5, 40, 40);
        var input = model.Graph.Input[0].Clone();
        input.Name = "w";
        input.Type.TensorType.Shape.Dim[0] = new TensorShapeProto.Types.Dimension { DimValue = 40 };
        model.Graph.Input.Add(input);
        Assert.Contains(
            "callers may override",
            Assert.Throws<NotSupportedException>(() => PrecisionReducer.Reduce(model, ModelPrecision.Float16)).Message,
            StringComparison.Ordinal);

        // Before IR version 4 every initializer is an input, and nobody could override it.
        model.IrVersion = 3;
        model.OpsetImport[0].Version = 8;
        model.Graph.Input.Add(model.Graph.Input[0].Clone());
        model.Graph.Input[^1].Name = "b";
        model.Graph.Input[^1].Type.TensorType.Shape.Dim.RemoveAt(0);
        var reduced = PrecisionReducer.Reduce(model, ModelPrecision.Float16).Model;
        Assert.Equal(["x", "w_float16", "b"], reduced.Proto.Graph.Input.Select(value => value.Name));
        Assert.Equal(40 * 3, Perceptron.Run(reduced.Proto, Perceptron.Rows(6, 3, 40)).Length);
    }

    [Fact]
    public void Reduce_WeightInAConstantNodeOrReadBySubgraphs_IsFound()
    {
        var network = new Perceptron(7);
        var graph = network.Graph;
        var x = network.Input(40);
        var literal = graph.Named("literal", "Constant", [], ("value", TensorData.Create("t", network.Numbers(40, 40), 40, 40)));
        var captured = network.Weight("captured", 40, 40);
        var y = graph.Node("If", [graph.True], ("then_branch", Branch(captured)), ("else_branch", Branch(literal)));
        var model = network.Build(graph.Node("MatMul", [graph.Node("Add", [y, y]), literal]), 40);
        var check = PrecisionCheck.Run(model, ModelPrecision.Float16);
        Assert.Equal(["captured", "literal"], check.Result.Outcomes.Where(outcome => outcome.IsReduced).Select(outcome => outcome.Name));
        Assert.InRange(check.Comparison!.LargestRelative, 1e-6, 1e-3);

        GraphProto Branch(Value weight)
        {
            var branch = new GraphProto
            {
                Name = "branch",
                Node =
                {
                    new NodeProto
                    {
                        OpType = "MatMul",
                        Name = $"in {weight.Name}",
                        Input = { x.Name, weight.Name },
                        Output = { $"y {weight.Name}" },
                    },
                },
            };
            branch.Output.Add(
                new ValueInfoProto
                {
                    Name = $"y {weight.Name}",
                    Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float } },
                });
            return branch;
        }
    }

    private static ModelProto Spoiled(Action<float[]> spoil)
    {
        var network = new Perceptron(8);
        var w = network.Numbers(40, 40);
        spoil(w);
        var first = network.Graph.Node("MatMul", [network.Input(40), network.Graph.Initializer(TensorData.Create("w", w, 40, 40))]);
        return network.Build(network.Graph.Node("MatMul", [first, network.Weight("v", 40, 40)]), 40);
    }
}

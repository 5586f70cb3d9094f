using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

/// <summary>Rows and weights that 8 bits cannot hold, and no rows at all.</summary>
public class Int8EdgeTests
{
    private const int Width = 80, Units = 40;

    public static TheoryData<float, int, bool> NotFinite
    {
        get
        {
            var data = new TheoryData<float, int, bool>();
            foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
                foreach (var place in new[] { 0, 1, 17, Width - 1 })
                    foreach (var afterRelu in new[] { false, true })
                        if (!(afterRelu && value < 0)) data.Add(value, place, afterRelu);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(NotFinite))]
    public void Reduce_RowThatIsNotFinite_GivesNoNumber(float value, int place, bool afterRelu)
    {
        var network = new Perceptron(1);
        var x = network.Input(Width);
        if (afterRelu) x = network.Graph.Node("Relu", [x]);
        var y = network.Graph.Node("Gemm", [x, network.Weight("w", Width, Units), network.Weight("c", Units)]);
        var model = network.Build(y, Units);
        var rows = Perceptron.Rows(2, 3, Width);
        var reduced = PrecisionReducer.Reduce(model, ModelPrecision.Int8, Perceptron.Inputs(rows)).Model;
        ((float[])rows.Data)[Width + place] = value;
        foreach (var optimization in new[] { GraphOptimization.None, GraphOptimization.All })
        {
            var (expected, actual) = (Perceptron.Run(model, rows, optimization), Perceptron.Run(reduced.Proto, rows, optimization));
            for (var unit = 0; unit < Units; unit++)
            {
                Assert.False(float.IsFinite(expected[Units + unit]));
                Assert.Equal(float.NaN, actual[Units + unit]);
                // The rows beside it are none of its business.
                Assert.Equal(expected[unit], actual[unit], 0.1);
                Assert.Equal(expected[(2 * Units) + unit], actual[(2 * Units) + unit], 0.1);
            }
        }
    }

    [Theory]
    [InlineData("Gemm")]
    [InlineData("MatMul")]
    public void Reduce_NoRows_GivesNoRows(string product)
    {
        var network = new Perceptron(3);
        var y = network.Graph.Node(product, [network.Input(Width), network.Weight("w", Width, Units)]);
        var reduced = PrecisionReducer.Reduce(network.Build(y, Units), ModelPrecision.Int8).Model;
        Assert.Empty(Perceptron.Run(reduced.Proto, HostTensor.Of((float[])[], 0, Width)));
    }

    [Fact]
    public void Reduce_RowsOfTheSmallestNumbers_StayNear()
    {
        var network = new Perceptron(4);
        var model = network.Build(network.Graph.Node("MatMul", [network.Input(Width), network.Weight("w", Width, Units)]), Units);
        var reduced = PrecisionReducer.Reduce(model, ModelPrecision.Int8).Model;
        foreach (var size in new[] { 1e-37, 1e30 })
        {
            var x = Perceptron.Rows(5, 4, Width, _ => size);
            var (expected, actual) = (Perceptron.Run(model, x), Perceptron.Run(reduced.Proto, x));
            var scale = expected.Max(MathF.Abs);
            for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i] / scale, actual[i] / scale, 0.03);
        }
    }

    [Fact]
    public void Reduce_WeightWithAColumnAndARowOfZeros_GivesExactZerosThere()
    {
        var network = new Perceptron(6);
        var w = network.Numbers(Width, Units);
        for (var k = 0; k < Width; k++) w[(k * Units) + 7] = 0;
        w.AsSpan(9 * Units, Units).Clear();
        var y = network.Graph.Node("MatMul", [network.Input(Width), network.Graph.Initializer(TensorData.Create("w", w, Width, Units))]);
        var check = PrecisionCheck.Run(network.Build(y, Units), ModelPrecision.Int8);
        Assert.True(check.IsWithin);
        var actual = Perceptron.Run(check.Result.Model.Proto, Perceptron.Rows(7, 5, Width));
        Assert.All(Enumerable.Range(0, 5), row => Assert.Equal(0, actual[(row * Units) + 7]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Reduce_WeightThatIsNotFinite_StaysFloat32(float value)
    {
        var network = new Perceptron(8);
        var w = network.Numbers(Width, Units);
        w[100] = value;
        var bad = network.Graph.Named(
            "bad", "MatMul", [network.Input(Width), network.Graph.Initializer(TensorData.Create("w", w, Width, Units))]);
        network.Graph.Output("other", bad, DataType.Float, TensorDimension.Rows, Units);
        var model = network.Build(
            network.Graph.Named("good", "MatMul", [network.Input("z", Width), network.Weight("v", Width, Units)]), Units);
        foreach (var precision in new[] { ModelPrecision.Int8, ModelPrecision.Float16Arithmetic })
        {
            var check = PrecisionCheck.Run(model, precision);
            Assert.Equal([false, true], check.Result.Outcomes.Select(outcome => outcome.IsReduced));
            Assert.Contains("not finite", check.Result.Outcomes[0].Detail, StringComparison.Ordinal);
            Assert.True(check.IsWithin);
        }
    }

    [Fact]
    public void Reduce_OneCalibrationRowIsNotFinite_TheOthersCount()
    {
        var network = new Perceptron(9);
        var w = network.Numbers(Width, Units);
        for (var unit = 0; unit < Units; unit++) w[unit] /= 1e5f;
        var y = network.Graph.Node("MatMul", [network.Input(Width), network.Graph.Initializer(TensorData.Create("w", w, Width, Units))]);
        var rows = Perceptron.Rows(10, 50, Width, column => column == 0 ? 1e5 : 1);
        ((float[])rows.Data)[3 * Width] = float.NaN;
        var outcome = Assert.Single(
            PrecisionReducer.Reduce(network.Build(y, Units), ModelPrecision.Int8, Perceptron.Inputs(rows)).Outcomes);
        Assert.Contains("inputs balanced", outcome.Detail, StringComparison.Ordinal);
        Assert.True(outcome.IsReduced, outcome.Detail);
    }

    [Fact]
    public void Reduce_WeightThatABranchReadsToo_IsKeptForIt()
    {
        var network = new Perceptron(11);
        var graph = network.Graph;
        var x = network.Input(Width);
        var w = network.Weight("w", Width, Width);
        var model = network.Build(graph.Node("MatMul", [x, w]), Width);
        model.Graph.Input.Add(
            new ValueInfoProto
            {
                Name = "turn",
                Type = new TypeProto
                {
                    TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Bool, Shape = new TensorShapeProto() },
                },
            });
        var choice = new NodeProto { OpType = "If", Name = "choice", Input = { "turn" }, Output = { "chosen" } };
        foreach (var (branch, product) in new[] { ("then_branch", "MatMul"), ("else_branch", "Add") })
        {
            var inner = new GraphProto
            {
                Name = branch,
                Initializer = { TensorData.Create($"{branch}_w", network.Numbers(Width, Width), Width, Width) },
                Node =
                {
                    new NodeProto { OpType = product, Name = branch, Input = { "y", w.Name }, Output = { $"{branch}_y" } },
                    new NodeProto
                    {
                        OpType = "MatMul",
                        Name = $"{branch}_product",
                        Input = { $"{branch}_y", $"{branch}_w" },
                        Output = { branch },
                    },
                },
            };
            inner.Output.Add(
                new ValueInfoProto
                {
                    Name = branch,
                    Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float } },
                });
            choice.Attribute.Add(new AttributeProto { Name = branch, Type = AttributeProto.Types.AttributeType.Graph, G = inner });
        }

        model.Graph.Node.Add(choice);
        model.Graph.Output.Add(
            new ValueInfoProto
            {
                Name = "chosen",
                Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float } },
            });
        foreach (var turn in new[] { true, false })
        {
            var inputs = new Dictionary<string, HostTensor>
            {
                ["x"] = Perceptron.Rows(12, Width, Width),
                ["turn"] = new(DataType.Bool, [], new[] { turn }),
            };
            foreach (var precision in new[] { ModelPrecision.Float16, ModelPrecision.Float16Arithmetic, ModelPrecision.Int8 })
            {
                var check = PrecisionCheck.Run(model, precision, [inputs]);
                Assert.True(check.IsWithin, check.WhyRefused);
                Assert.Contains(check.Result.Outcomes, outcome => outcome.IsReduced);
                // Whatever is in a branch stays, and is listed.
                Assert.Contains(check.Result.Outcomes, outcome => !outcome.IsReduced && outcome.Detail == "it stands in a subgraph");
            }
        }
    }
}

using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

public class Int8Tests
{
    [Theory]
    [InlineData(GraphOptimization.None)]
    [InlineData(GraphOptimization.All)]
    public void Reduce_Gemm_IsTheFormula(GraphOptimization optimization)
    {
        const int rows = 9, width = 96, units = 40;
        var network = new Perceptron(1);
        var (w, c) = (network.Numbers(units, width), network.Numbers(units));
        var y = network.Graph.Node(
            "Gemm",
            [
                network.Input(width), network.Graph.Initializer(TensorData.Create("w", w, units, width)),
                network.Graph.Initializer(TensorData.Create("c", c, units)),
            ],
            ("transB", 1L),
            ("alpha", 0.5f),
            ("beta", 2f));
        var x = Perceptron.Rows(2, rows, width);
        var reduced = PrecisionReducer.Reduce(network.Build(y, units), ModelPrecision.Int8, Perceptron.Inputs(x));
        var actual = Perceptron.Run(reduced.Model.Proto, x, optimization);

        var values = (float[])x.Data;
        for (var row = 0; row < rows; row++)
        {
            var m = values.Skip(row * width).Take(width).Max(Math.Abs);
            for (var unit = 0; unit < units; unit++)
            {
                var column = w.AsSpan(unit * width, width);
                double scale = (float)(Math.Max((double)column[column.IndexOf(Max(column))], -(double)Min(column)) / 64);
                var sum = 0.0;
                for (var k = 0; k < width; k++)
                {
                    var a = MathF.Round(values[(row * width) + k] / m / (1 / 127f));
                    sum += a * Math.Round(column[k] / scale);
                }

                var expected = (sum * scale * m / 127 * 0.5) + (2 * c[unit]);
                Assert.Equal(expected, actual[(row * units) + unit], 1e-5);
            }
        }

        static float Max(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.Max(values);
        static float Min(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.Min(values);
    }

    [Fact]
    public void Reduce_LargestProductsEverywhere_AreNotCutOff()
    {
        // uint8 × int8 in pairs of 16 bits: the trap of CPUs without VNNI.
        const int width = 512, units = 16;
        var graph = new GraphBuilder("edge");
        var signs = Enumerable.Range(0, width * units).Select(i => i % units % 2 == 0 ? 0.5f : -0.5f).ToArray();
        var x = graph.Input("x", TensorProto.Types.DataType.Float, TensorDimension.Rows, width);
        graph.Output(
            "y", graph.Node("MatMul", [graph.Node("Relu", [x]), graph.Initializer(TensorData.Create("w", signs, width, units))]),
            TensorProto.Types.DataType.Float, TensorDimension.Rows, units);
        var ones = HostTensor.Of(Enumerable.Repeat(3f, 4 * width).ToArray(), 4, width);
        var reduced = PrecisionReducer.Reduce(graph.Build(), ModelPrecision.Int8, Perceptron.Inputs(ones));
        var y = Perceptron.Run(reduced.Model.Proto, ones);
        for (var i = 0; i < y.Length; i++) Assert.Equal(i % 2 == 0 ? 768 : -768, y[i], 1e-3);
    }

    [Fact]
    public void Reduce_RowsInOneBatch_DoNotChangeEachOther()
    {
        var model = PrecisionReducer.Reduce(Perceptron.Create(3, 40, 64, 48, 10), ModelPrecision.Int8).Model;
        var x = Perceptron.Rows(4, 8, 40);
        var values = (float[])x.Data;
        for (var k = 0; k < 40; k++) values[(5 * 40) + k] *= 1e6f;
        var together = Perceptron.Run(model.Proto, x);
        for (var row = 0; row < 8; row++)
            Assert.Equal(
                Perceptron.Run(model.Proto, HostTensor.Of(values[(row * 40)..((row + 1) * 40)], 1, 40)),
                together[(row * 10)..((row + 1) * 10)]);
    }

    [Fact]
    public void Reduce_RowOfZeros_GivesTheSummand()
    {
        var network = new Perceptron(5);
        var c = network.Numbers(40);
        var y = network.Graph.Node(
            "Gemm", [network.Input(40), network.Weight("w", 40, 40), network.Graph.Initializer(TensorData.Create("c", c, 40))]);
        var model = PrecisionReducer.Reduce(network.Build(y, 40), ModelPrecision.Int8).Model;
        Assert.Equal(c, Perceptron.Run(model.Proto, HostTensor.Of(new float[40], 1, 40)));
    }

    [Fact]
    public void Reduce_ColumnsOfVeryDifferentSize_AreBalanced()
    {
        // Ages beside incomes, as a batch normalization leaves them that was folded into the layer behind it.
        static double Factor(int column) => Math.Pow(10, (column % 9) - 4);
        var network = new Perceptron(6);
        var w = network.Numbers(64, 32);
        for (var i = 0; i < w.Length; i++) w[i] /= (float)Factor(i / 32);
        var y = network.Graph.Named("first", "MatMul", [network.Input(64), network.Graph.Initializer(TensorData.Create("w", w, 64, 32))]);
        var inputs = Perceptron.Inputs(Perceptron.Rows(7, 200, 64, Factor));
        var check = PrecisionCheck.Run(network.Build(y, 32), ModelPrecision.Int8, inputs);
        Assert.Contains("inputs balanced", Assert.Single(check.Result.Outcomes).Detail, StringComparison.Ordinal);
        Assert.True(check.IsWithin);
        Assert.InRange(check.Comparison!.LargestRelative, 1e-4, 0.03);
    }

    [Fact]
    public void Reduce_LargeChannelBesideSmallOnes_IsJudgedByAll()
    {
        // One feature in millions that most units hardly look at: without balance only the unit that does would be right.
        var network = new Perceptron(17);
        var w = network.Numbers(64, 32);
        for (var unit = 1; unit < 32; unit++) w[unit] = 1e-7f;
        var y = network.Graph.Named("first", "MatMul", [network.Input(64), network.Graph.Initializer(TensorData.Create("w", w, 64, 32))]);
        var x = Perceptron.Rows(18, 100, 64, column => column == 0 ? 1e6 : 1);
        var result = PrecisionReducer.Reduce(network.Build(y, 32), ModelPrecision.Int8, Perceptron.Inputs(x));
        Assert.Contains("inputs balanced", Assert.Single(result.Outcomes).Detail, StringComparison.Ordinal);
        var (expected, actual) = (Perceptron.Run(network.Graph.Build(), x), Perceptron.Run(result.Model.Proto, x));
        double error = 0, square = 0;
        for (var i = 0; i < actual.Length; i++)
        {
            if (i % 32 == 0) continue;
            error += Math.Pow(actual[i] - expected[i], 2);
            square += Math.Pow(expected[i], 2);
        }

        Assert.InRange(Math.Sqrt(error / square), 0, 0.03);
    }

    [Fact]
    public void Reduce_DifferencesOfLargeNumbers_StayFloat32()
    {
        // What matters is in the last digits of the input, and the weights take the rest away.
        var network = new Perceptron(8);
        var w = network.Numbers(64, 32);
        for (var unit = 0; unit < 32; unit++) w[unit] -= Enumerable.Range(0, 64).Sum(row => w[(row * 32) + unit]);
        var large = network.Graph.Node("Add", [network.Input(64), network.Graph.Constant(1000)]);
        var first = network.Graph.Named("first", "MatMul", [large, network.Graph.Initializer(TensorData.Create("w", w, 64, 32))]);
        var y = network.Graph.Named("second", "MatMul", [network.Graph.Node("Tanh", [first]), network.Weight("v", 32, 32)]);
        var result = PrecisionReducer.Reduce(network.Build(y, 32), ModelPrecision.Int8, Perceptron.Inputs(Perceptron.Rows(9, 50, 64)));
        Assert.Equal(["first", "second"], result.Outcomes.Select(outcome => outcome.Name));
        Assert.Equal([false, true], result.Outcomes.Select(outcome => outcome.IsReduced));
        Assert.StartsWith("it would lose", result.Outcomes[0].Detail, StringComparison.Ordinal);
        Assert.Contains(result.Model.Proto.Graph.Node, node => node.Name == "first" && node.OpType == "MatMul");
    }

    [Fact]
    public void Reduce_WeightSharedWithAnotherNode_IsCopied()
    {
        var network = new Perceptron(10);
        var w = network.Weight("w", 40, 40);
        var product = network.Graph.Node("MatMul", [network.Input(40), w]);
        network.Graph.Output("other", network.Graph.Node("Neg", [w]), TensorProto.Types.DataType.Float, 40, 40);
        var model = network.Build(product, 40);
        var check = PrecisionCheck.Run(model, ModelPrecision.Int8);
        Assert.True(check.IsWithin);
        Assert.Equal(0, check.Comparison!.Outputs.Single(output => output.Output == "other").LargestAbsolute);
        Assert.Contains(check.Result.Model.Proto.Graph.Initializer, tensor => tensor.Name == "w");
    }

    [Fact]
    public void Reduce_Sequences_KeepTheirDimensions()
    {
        var network = new Perceptron(11);
        var x = network.Graph.Input("x", TensorProto.Types.DataType.Float, TensorDimension.Rows, 6, 40);
        network.Graph.Output(
            "y", network.Graph.Node("MatMul", [x, network.Weight("w", 40, 40)]), TensorProto.Types.DataType.Float, TensorDimension.Rows, 6,
            40);
        Assert.True(PrecisionCheck.Run(network.Graph.Build(), ModelPrecision.Int8).IsWithin);
    }

    [Fact]
    public void Reduce_InitializersMustBeInputs_AreInputs()
    {
        var model = Perceptron.Create(12, 40, 40, 10);
        model.OpsetImport[0].Version = 11;
        model.IrVersion = 3;
        foreach (var tensor in model.Graph.Initializer)
        {
            var input = model.Graph.Input[0].Clone();
            input.Name = tensor.Name;
            input.Type.TensorType.Shape.Dim.Clear();
            input.Type.TensorType.Shape.Dim.AddRange(tensor.Dims.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
            model.Graph.Input.Add(input);
        }

        var rows = Perceptron.Rows(13, 4, 40);
        var reduced = PrecisionReducer.Reduce(model, ModelPrecision.Int8, Perceptron.Inputs(rows)).Model;
        Assert.Equal(
            ["x", .. reduced.Proto.Graph.Initializer.Select(tensor => tensor.Name).Order()],
            [reduced.Proto.Graph.Input[0].Name, .. reduced.Proto.Graph.Input.Skip(1).Select(input => input.Name).Order()]);
        Assert.Equal(10 * 4, Perceptron.Run(reduced.Proto, rows).Length);
    }

    [Fact]
    public void Reduce_WhatCannotBe_StaysWithItsReason()
    {
        var network = new Perceptron(14);
        var graph = network.Graph;
        var x = network.Input(40);
        var good = graph.Named("good", "MatMul", [x, network.Weight("w", 40, 40)]);
        var small = graph.Named("small", "MatMul", [good, network.Weight("w", 40, 5)]);
        var self = graph.Named("self", "Gemm", [good, good], ("transB", 1L));
        var left = graph.Named("left", "MatMul", [network.Weight("w", 40, 40), graph.Node("Transpose", [good])]);
        var turned = graph.Named("turned", "Gemm", [left, network.Weight("w", 40, 40)], ("transA", 1L));
        var deep = graph.Named("deep", "MatMul", [graph.Node("Unsqueeze", [turned, graph.Integers(0)]), network.Weight("w", 1, 40, 40)]);
        foreach (var (name, value) in new[] { ("o1", small), ("o2", self), ("o3", deep) })
            graph.Output(name, value, TensorProto.Types.DataType.Float);
        var model = graph.Build();
        foreach (var output in model.Graph.Output) output.Type.TensorType.Shape = null;
        var check = PrecisionCheck.Run(model, ModelPrecision.Int8);
        Assert.True(check.IsWithin);
        var reasons = check.Result.Outcomes.ToDictionary(
            outcome => outcome.Name, outcome => outcome.IsReduced ? "reduced" : outcome.Detail);
        Assert.Equal("reduced", reasons["good"]);
        Assert.Contains("200 elements", reasons["small"], StringComparison.Ordinal);
        Assert.Contains("no constant", reasons["self"], StringComparison.Ordinal);
        Assert.Contains("on the left", reasons["left"], StringComparison.Ordinal);
        Assert.Contains("transA", reasons["turned"], StringComparison.Ordinal);
        Assert.Contains("3 dimensions", reasons["deep"], StringComparison.Ordinal);
    }

    [Fact]
    public void Reduce_NothingToReduce_SaysWhy()
    {
        var exception = Assert.Throws<NotSupportedException>(
            () => PrecisionReducer.Reduce(Perceptron.Create(15, 8, 4, 2), ModelPrecision.Int8));
        Assert.Contains("'gemm1' stays float32: its weight has 32 elements", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reduce_OldOperatorSet_SaysWhatItNeeds()
    {
        var network = new Perceptron(16, opset: 10);
        var y = network.Graph.Node("MatMul", [network.Input(40), network.Weight("w", 40, 40)]);
        var exception = Assert.Throws<NotSupportedException>(() => PrecisionReducer.Reduce(network.Build(y, 40), ModelPrecision.Int8));
        Assert.Contains(
            "int8 needs operator set 11 or later, but the model is written for 10", exception.Message, StringComparison.Ordinal);
    }
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

public class Float16ArithmeticTests
{
    [Fact]
    public void Reduce_Perceptron_ConvertsBetweenTheFirstAndTheLastProduct()
    {
        var network = new Perceptron(1);
        var graph = network.Graph;
        var x = graph.Node("Sub", [network.Input(40), network.Weight("mean", 40)]);
        x = graph.Node("Relu", [graph.Node("Gemm", [x, network.Weight("w", 40, 40), network.Weight("b", 40)])]);
        x = graph.Node("Gemm", [x, network.Weight("w", 40, 40), network.Weight("b", 40)]);
        var check = PrecisionCheck.Run(network.Build(graph.Node("Sigmoid", [x]), 40), ModelPrecision.Float16Arithmetic);
        Assert.Equal(
            ["Sub", "Cast", "MatMul", "Sum", "Relu", "MatMul", "Sum", "Cast", "Sigmoid"],
            check.Result.Model.Proto.Graph.Node.Select(node => node.OpType));
        Assert.Equal(4, check.Result.Model.Proto.Graph.Initializer.Count(tensor => tensor.DataType == (int)DataType.Float16));
        Assert.Equal(5, check.Result.Model.Proto.Graph.Initializer.Count);
        Assert.InRange(check.Comparison!.LargestRelative, 1e-6, 0.01);
    }

    [Fact]
    public void Reduce_BiasAsARowWithOneNumberNearZero_IsNoReason()
    {
        var network = new Perceptron(7);
        var c = network.Numbers(1, 40);
        c[5] = 1e-6f;
        var y = network.Graph.Node(
            "Gemm", [network.Input(40), network.Weight("w", 40, 40), network.Graph.Initializer(TensorData.Create("c", c, 1, 40))]);
        Assert.True(Assert.Single(PrecisionReducer.Reduce(network.Build(y, 40), ModelPrecision.Float16Arithmetic).Outcomes).IsReduced);
    }

    [Fact]
    public void Reduce_ValueBeyondTheRangeOnTheRows_KeepsItsNodesFloat32()
    {
        var network = new Perceptron(2);
        var graph = network.Graph;
        var x = graph.Named("first", "MatMul", [network.Input(40), network.Weight("w", 40, 40)]);
        x = graph.Node("Mul", [x, graph.Constant(1e5f)]);
        x = graph.Named("second", "MatMul", [x, network.Weight("w", 40, 40)]);
        x = graph.Named("third", "MatMul", [graph.Node("Tanh", [x]), network.Weight("w", 40, 40)]);
        var inputs = Perceptron.Inputs(Perceptron.Rows(3, 20, 40));
        var check = PrecisionCheck.Run(network.Build(x, 40), ModelPrecision.Float16Arithmetic, inputs);
        Assert.Equal([true, false, true], check.Result.Outcomes.Select(outcome => outcome.IsReduced));
        Assert.Contains("reaches", check.Result.Outcomes[1].Detail, StringComparison.Ordinal);
        Assert.True(check.Comparison!.LargestRelative < 1, "nothing became infinite");
    }

    [Fact]
    public void Reduce_InputBeyondTheRange_KeepsItsReaderFloat32()
    {
        var network = new Perceptron(5);
        var graph = network.Graph;
        var first = graph.Node("Tanh", [graph.Named("first", "MatMul", [network.Input(40), network.Weight("w", 40, 40)])]);
        var model = network.Build(graph.Named("second", "MatMul", [first, network.Weight("w", 40, 40)]), 40);
        var inputs = Perceptron.Inputs(Perceptron.Rows(4, 20, 40, column => column == 3 ? 1e5 : 1));
        var result = PrecisionReducer.Reduce(model, ModelPrecision.Float16Arithmetic, inputs);
        Assert.Contains("'x' reaches", result.Outcomes[0].Detail, StringComparison.Ordinal);
        Assert.Equal([false, true], result.Outcomes.Select(outcome => outcome.IsReduced));
    }

    [Fact]
    public void Reduce_ValueReadInBothPrecisions_ExistsInBoth()
    {
        var network = new Perceptron(6);
        var graph = network.Graph;
        var inner = graph.Node("Relu", [graph.Node("MatMul", [network.Input(40), network.Weight("w", 40, 40)])]);
        graph.Output("inner", graph.Node("Softmax", [inner]), DataType.Float, TensorDimension.Rows, 40);
        var around = graph.Node("Add", [inner, graph.Node("MatMul", [inner, network.Weight("w", 40, 40)])]);
        var model = network.Build(graph.Node("MatMul", [around, network.Weight("w", 40, 40)]), 40);
        var check = PrecisionCheck.Run(model, ModelPrecision.Float16Arithmetic);
        Assert.True(check.IsWithin);
        Assert.All(check.Result.Outcomes, outcome => Assert.True(outcome.IsReduced));
        Assert.Equal(model.Graph.Output, check.Result.Model.Proto.Graph.Output);
    }

    [Fact]
    public void Reduce_DoublePrecisionModel_HasNothingToReduce()
    {
        var graph = new GraphBuilder("double");
        var w = graph.Initializer(TensorData.FromDoubles("w", DataType.Double, new double[1600], 40, 40));
        graph.Output(
            "y", graph.Node("MatMul", [graph.Input("x", DataType.Double, TensorDimension.Rows, 40), w]), DataType.Double,
            TensorDimension.Rows, 40);
        foreach (var precision in new[] { ModelPrecision.Float16, ModelPrecision.Float16Arithmetic, ModelPrecision.Int8 })
            Assert.Throws<NotSupportedException>(() => PrecisionReducer.Reduce(graph.Build(), precision));
    }
}

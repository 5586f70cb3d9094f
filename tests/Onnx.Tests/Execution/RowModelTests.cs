using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class RowModelTests
{
    [Fact]
    public void Run_RowsThatAreNoPowerOfTwo_NeverGivesTheModelAValueThatNobodyGave()
    {
        // Dividing an integer by the zeros of an empty buffer would end the process.
        using var model = RowModel.Load(Quotient());
        using var block = model.CreateBlock(8);
        foreach (var count in new[] { 3, 5, 1, 8 })
        {
            for (var row = 0; row < count; row++) block.Input<long>(0).Span[row] = row + 1;
            block.Run(count);
            Assert.Equal(Enumerable.Range(1, count).Select(divisor => 840L / divisor), block.Output<long>(0).Span[..count].ToArray());
        }
    }

    [Fact]
    public void Run_MoreRowsThanTheBlockHolds_IsAnError()
    {
        using var model = RowModel.Load(Quotient());
        using var block = model.CreateBlock(3);
        Assert.Equal(4, block.Capacity);
        Assert.Throws<ArgumentOutOfRangeException>(() => block.Run(5));
        Assert.Throws<ArgumentOutOfRangeException>(() => block.Run(0));
    }

    [Fact]
    public void Input_AskedForAsAnotherType_NamesTheTensor()
    {
        using var model = RowModel.Load(Quotient());
        using var block = model.CreateBlock(1);
        var exception = Assert.Throws<InvalidOperationException>(() => block.Input<float>(0));
        Assert.Contains("divisor: Int64", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_ReleasedModel_IsAnErrorAndNotTheEndOfTheProcess()
    {
        var model = RowModel.Load(Quotient());
        using var block = model.CreateBlock(1);
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => block.Run(1));
    }

    [Fact]
    public void Load_OutputWithoutRows_SaysSoAndNamesTheOthers()
    {
        var graph = new GraphBuilder("sum of all");
        var x = graph.Input("x", DataType.Float, TensorDimension.Rows, 2);
        graph.Output("all", graph.Node("ReduceSum", [x, graph.Integers(0)], ("keepdims", 1L)), DataType.Float, 1, 2);
        graph.Output("same", graph.Node("Identity", [x]), DataType.Float, TensorDimension.Rows, 2);
        var exception = Assert.Throws<InvalidModelException>(() => RowModel.Load(graph.Build()));
        Assert.Contains(
            "'all' has the shape [1, 2], whose first dimension does not count rows", exception.Message, StringComparison.Ordinal);
        using var model = RowModel.Load(graph.Build(), new RowModelSettings { Outputs = ["same"] });
        Assert.Equal(2, model.Outputs.Single().Count);
    }

    private static ModelProto Quotient()
    {
        var graph = new GraphBuilder("quotient");
        var dividend = graph.Initializer(TensorData.Create("dividend", [840L], 1));
        graph.Output("quotient", graph.Node(
            "Div", [dividend, graph.Input("divisor", DataType.Int64, TensorDimension.Rows)]), DataType.Int64, TensorDimension.Rows);
        return graph.Build();
    }
}

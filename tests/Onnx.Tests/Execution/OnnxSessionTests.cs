using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class OnnxSessionTests
{
    [Fact]
    public void Run_ShapesThatDoNotFit_NamesModelNodeAndShapes()
    {
        var nodes = new GraphBuilder("product");
        var product =
            nodes.Named("the product", "MatMul", [nodes.Input("a", DataType.Float, "N", "K"), nodes.Input("b", DataType.Float, "L", "M")]);
        nodes.Output("y", product, DataType.Float, "N", "M");
        using var session =
            OnnxSession.Load(nodes.Build(), new ExecutionOptions { Name = "the product model", Optimization = GraphOptimization.None });
        var exception = Assert.Throws<ModelRunException>(() => session.Run(new Dictionary<string, HostTensor>
        {
            ["a"] = HostTensor.Of(new float[6], 2, 3),
            ["b"] = HostTensor.Of(new float[8], 4, 2),
        }));
        Assert.Contains("the product model", exception.Message, StringComparison.Ordinal);
        Assert.Contains("a [2, 3]; b [4, 2]", exception.Message, StringComparison.Ordinal);
        Assert.Contains("the product", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
        Assert.NotNull(exception.InnerException);
    }

    [Fact]
    public void Load_UnknownOperator_IsOneLine()
    {
        var nodes = new GraphBuilder("odd");
        nodes.Output("y", nodes.Node("NoSuchOperator", [nodes.Input("x", DataType.Float, "N")]), DataType.Float, "N");
        var exception = Assert.Throws<InvalidModelException>(() => OnnxSession.Load(nodes.Build()));
        Assert.Contains("NoSuchOperator", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void BoundRun_TwoViewsOfOneBuffer_ReadsAndWritesInPlace()
    {
        var nodes = new GraphBuilder("copy");
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("x", DataType.Float, "N", 2)]), DataType.Float, "N", 2);
        using var session = OnnxSession.Load(nodes.Build());
        using var buffer = new TensorBuffer<float>(12);
        for (var i = 0; i < 12; i++) buffer.Span[i] = i;
        using var run = session.CreateBoundRun();
        run.BindInput("x", buffer.At(2, 2, 2));
        run.BindOutput("y", buffer.At(8, 2, 2));
        run.Run();
        Assert.Equal([0f, 1, 2, 3, 4, 5, 6, 7, -2, -3, -4, -5], buffer.Span.ToArray());
        buffer.Span[2] = 50;
        run.Run();
        Assert.Equal(-50, buffer.Span[8]);
        var exception = Assert.Throws<ArgumentException>(() => run.BindInput("z", buffer.Whole));
        Assert.Contains("no input 'z'; its inputs are x", exception.Message, StringComparison.Ordinal);
    }
}

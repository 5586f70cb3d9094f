using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public sealed class NodePlacementTests
{
    [Fact]
    public void Of_Model_NamesEachNodeAndItsProvider()
    {
        var nodes = new GraphBuilder("two nodes");
        var sine = nodes.Named("the sine", "Sin", [nodes.Input("x", DataType.Float, "N", 2)]);
        nodes.Output("y", nodes.Named("the sum", "ReduceSum", [sine]), DataType.Float, 1, 1);
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.onnx");
        ModelFile.Write(nodes.Build(), path);
        try
        {
            Assert.Equal(
                [
                    new NodePlacement("the sine", "Sin", "CPUExecutionProvider"),
                    new NodePlacement("the sum", "ReduceSum", "CPUExecutionProvider"),
                ],
                NodePlacement.Of(path, Device.Cpu));
        }
        finally
        {
            File.Delete(path);
        }
    }
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Tests.Losses;

/// <summary>Runs a loss by itself: row losses and row gradients of given outputs and targets.</summary>
internal static class LossGraph
{
    public static (float[] RowLoss, float[] Gradient) Run(
        Loss loss, float[] output, float[] target, int outputs, int opset = GraphBuilder.DefaultOpset)
    {
        var nodes = new GraphBuilder("loss", opset);
        var y = nodes.Input("y", DataType.Float, TensorDimension.Rows, outputs);
        var t = nodes.Input("t", DataType.Float, TensorDimension.Rows, outputs);
        nodes.Output("rowLoss", loss.RowLoss(nodes, y, t), DataType.Float, TensorDimension.Rows, 1);
        nodes.Output("gradient", loss.RowGradient(nodes, y, t), DataType.Float, TensorDimension.Rows, outputs);
        using var session = OnnxSession.Load(nodes.Build(), new ExecutionOptions { Threads = 1, Spinning = false });
        var results = session.Run(new Dictionary<string, HostTensor>
        {
            ["y"] = HostTensor.Of(output, output.Length / outputs, outputs),
            ["t"] = HostTensor.Of(target, output.Length / outputs, outputs),
        });
        return ((float[])results["rowLoss"].Data, (float[])results["gradient"].Data);
    }
}

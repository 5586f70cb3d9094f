using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// The device that an <c>MLContext</c> names. ML.NET's catalogs do not show the context that they belong to, so it has to be handed on.
/// </summary>
public static class MLContextDevice
{
    /// <summary>
    /// <c>GpuDeviceId</c> as a CUDA device; the CPU where none is set, or where the GPU cannot be had and <c>FallbackToCpu</c> is on.
    /// </summary>
    /// <param name="context">The context.</param>
    public static Device ScoringDevice(this Microsoft.ML.MLContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.GpuDeviceId is not { } id) return Device.Cpu;
        return context.FallbackToCpu && !IsAvailable(Device.Cuda(id)) ? Device.Cpu : Device.Cuda(id);
    }

    private static bool IsAvailable(Device device)
    {
        try
        {
            // Some answers come only when there is something to run.
            var graph = new GraphBuilder("probe");
            graph.Output("y", graph.Node("Identity", [graph.Input("x", DataType.Float, 1)]), DataType.Float, 1);
            using var session = OnnxSession.Load(graph.Build(), new SessionSettings { Device = device });
            return true;
        }
        catch (Exception exception) when (exception is DeviceNotAvailableException or Onnx.InvalidModelException)
        {
            return false;
        }
    }
}

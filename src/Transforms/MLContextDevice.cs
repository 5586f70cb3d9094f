using MlNetBatchNorm.Onnx.Execution;

namespace Microsoft.ML;

/// <summary>The device that an <see cref="MLContext"/> asks for.</summary>
public static class MLContextDevice
{
    /// <summary>
    /// The device by <see cref="MLContext.GpuDeviceId"/> and <see cref="MLContext.FallbackToCpu"/>, for the options of a trainer:
    /// <c>new BatchNormNetworkOptions { Device = ml.Device() }</c>. Trainers cannot read it by themselves: ML.NET's catalogs keep their context
    /// to themselves.
    /// </summary>
    /// <param name="context">The context.</param>
    /// <returns>
    /// The CPU without a GPU number; with one, that CUDA GPU, strictly or, with <see cref="MLContext.FallbackToCpu"/>, or else the CPU.
    /// </returns>
    public static Device Device(this MLContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.GpuDeviceId is not { } index) return MlNetBatchNorm.Onnx.Execution.Device.Cpu;
        var gpu = MlNetBatchNorm.Onnx.Execution.Device.Cuda(index);
        return context.FallbackToCpu ? gpu.OrCpu() : gpu;
    }
}

using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>The one place that turns a <see cref="Device"/> into an ONNX Runtime execution provider.</summary>
internal static class ExecutionProviders
{
    private const string CudaProvider = "CUDAExecutionProvider";

    /// <summary>Adds the provider for a device and returns the device that will be used.</summary>
    public static Device Append(SessionOptions options, Device device)
    {
        switch (device.Kind)
        {
            case DeviceKind.Cpu:
                return device;
            case DeviceKind.Cuda:
                if (TryAppendCuda(options, device.Index) is not { } failure) return device;
                throw new DeviceNotAvailableException(
                    $"The device {device} was asked for, but ONNX Runtime's CUDA provider answered: {failure.Message.ReplaceLineEndings(" ").Trim()} " +
                    $"Providers in this build: {string.Join(", ", OrtEnv.Instance().GetAvailableProviders())}. Use the package " +
                    "Microsoft.ML.OnnxRuntime.Gpu with a CUDA driver, or the device auto or cpu.",
                    failure);
            case DeviceKind.Auto:
                // Asking first keeps a missing GPU from being reported as an error by the native library.
                return OrtEnv.Instance().GetAvailableProviders().Contains(CudaProvider) && TryAppendCuda(options, 0) is null
                    ? Device.Cuda()
                    : Device.Cpu;
            default:
                throw new ArgumentOutOfRangeException(nameof(device), device.Kind, "Unknown kind of device.");
        }
    }

    // A CPU-only native library lacks the very symbol, so a missing provider is not always an OnnxRuntimeException.
    private static Exception? TryAppendCuda(SessionOptions options, int index)
    {
        try
        {
            options.AppendExecutionProvider_CUDA(index);
            return null;
        }
        catch (Exception exception) when (exception is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException)
        {
            return exception;
        }
    }
}

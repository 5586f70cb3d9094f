using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test that needs an NVIDIA GPU; skipped where no model runs on one.</summary>
public sealed class GpuFactAttribute : FactAttribute
{
    private static readonly Lazy<DeviceStatus> Cuda = new(() => DeviceSurvey.Take().Devices.First(status => status.Device.Kind == DeviceKind.Cuda));

    public GpuFactAttribute()
    {
        if (!Cuda.Value.IsAvailable) Skip = $"no CUDA GPU: {string.Join("; ", Cuda.Value.Attempts)}";
    }
}

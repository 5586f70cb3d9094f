
namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test that needs an NVIDIA GPU; skipped where no model runs on one.</summary>
public sealed class GpuFactAttribute : FactAttribute
{
    /// <summary>Why there is none; null = there is one.</summary>
    public static string? Missing => Cuda.Value.IsAvailable ? null : $"no CUDA GPU: {string.Join("; ", Cuda.Value.Attempts)}";

    private static readonly Lazy<DeviceStatus> Cuda = new(() =>
        DeviceSurvey.Take().Devices.First(status => status.Device.Kind == DeviceKind.Cuda));

    public GpuFactAttribute()
    {
        Skip = Missing;
    }
}

using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test with the real CUDA provider library; skipped where nobody says where it is.</summary>
public sealed class CudaLibraryFactAttribute : FactAttribute
{
    public const string Variable = "MLNETBN_CUDA_LIBRARY";

    public CudaLibraryFactAttribute()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path || !(File.Exists(path) || Directory.Exists(path)))
            Skip = $"{Variable} does not say where ONNX Runtime's CUDA provider library is (see docs/gpu.md)";
        else if (DeviceSurvey.Take().Devices.Any(status => status is { Device.Kind: DeviceKind.Cuda, IsAvailable: true }))
            Skip = "there is a GPU here, and the library works";
    }
}

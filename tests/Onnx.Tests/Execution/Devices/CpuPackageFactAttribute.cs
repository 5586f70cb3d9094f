using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test of what is said where ONNX Runtime has only the CPU.</summary>
public sealed class CpuPackageFactAttribute : FactAttribute
{
    public CpuPackageFactAttribute()
    {
        if (OrtEnv.Instance().GetAvailableProviders() is not ["CPUExecutionProvider"])
            Skip = "this build of ONNX Runtime has more than the CPU";
    }
}

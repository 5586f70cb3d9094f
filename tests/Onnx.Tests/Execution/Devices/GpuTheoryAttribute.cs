namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Tests that need an NVIDIA GPU; skipped where no model runs on one.</summary>
public sealed class GpuTheoryAttribute : TheoryAttribute
{
    public GpuTheoryAttribute()
    {
        Skip = GpuFactAttribute.Missing;
    }
}

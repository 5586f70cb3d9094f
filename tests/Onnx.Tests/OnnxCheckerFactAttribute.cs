namespace MlNetBatchNorm.Onnx.Tests;

/// <summary>A test that needs <see cref="OnnxChecker"/>.</summary>
internal sealed class OnnxCheckerFactAttribute : FactAttribute
{
    public OnnxCheckerFactAttribute()
    {
        if (!OnnxChecker.IsInstalled) Skip = "onnx.checker (Debian's python3-onnx) is not installed.";
    }
}

namespace MlNetBatchNorm.Tests.Referees;

/// <summary>A test that needs ONNX's own checker; passed over, with that reason, where it is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OnnxCheckerFactAttribute : FactAttribute
{
    public OnnxCheckerFactAttribute()
    {
        if (!OnnxChecker.IsInstalled) Skip = "onnx.checker (Debian's python3-onnx) is not installed.";
    }
}

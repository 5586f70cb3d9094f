namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test that compiles a provider library; skipped without a C compiler or ONNX Runtime's headers.</summary>
public sealed class ProviderLibraryFactAttribute : FactAttribute
{
    public ProviderLibraryFactAttribute()
    {
        if (TestProvider.Compiler is null) Skip = "there is no gcc";
        else if (TestProvider.Headers is null) Skip = "ONNX Runtime's C headers are not here (they come with the npm package in standins/OnnxRuntime)";
    }
}

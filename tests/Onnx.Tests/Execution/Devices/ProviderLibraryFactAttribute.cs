namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A test that compiles a provider library; skipped without a C compiler or ONNX Runtime's headers.</summary>
public sealed class ProviderLibraryFactAttribute : FactAttribute
{
    public ProviderLibraryFactAttribute()
    {
        Skip = TestProvider.Missing;
    }
}

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Tests that compile a provider library; skipped without a C compiler or ONNX Runtime's headers.</summary>
public sealed class ProviderLibraryTheoryAttribute : TheoryAttribute
{
    public ProviderLibraryTheoryAttribute()
    {
        Skip = TestProvider.Missing;
    }
}

namespace MlNetBatchNorm.Tests.Referees;

/// <summary>A theory that needs <see cref="OnnxTestData"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OnnxTestDataTheoryAttribute : TheoryAttribute
{
    public OnnxTestDataTheoryAttribute() => Skip = OnnxTestData.Missing;
}

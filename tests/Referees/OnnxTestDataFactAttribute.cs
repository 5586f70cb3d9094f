namespace MlNetBatchNorm.Tests.Referees;

/// <summary>A test that needs <see cref="OnnxTestData"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OnnxTestDataFactAttribute : FactAttribute
{
    public OnnxTestDataFactAttribute() => Skip = OnnxTestData.Missing;
}

namespace MlNetBatchNorm.Trainer;

/// <summary>One value everywhere.</summary>
internal sealed record ConstantInitializer(float Value) : Initializer
{
    public override string Text => Value == 0 ? "zeros" : "ones";

    public override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random) => values.Fill(Value);
}

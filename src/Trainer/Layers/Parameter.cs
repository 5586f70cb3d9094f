namespace MlNetBatchNorm.Trainer;

/// <summary>An array of numbers that a layer learns or keeps.</summary>
/// <param name="Name">Its name in the layer (<c>weight</c>, <c>gamma</c>), or with the layer's name in front (<c>dense1.weight</c>).</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Role">How it is trained.</param>
/// <param name="Initializer">Its first values.</param>
public sealed record Parameter(string Name, IReadOnlyList<long> Shape, ParameterRole Role, Initializer Initializer)
{
    /// <summary>The number of values.</summary>
    public int Count { get; } = checked((int)Shape.Aggregate(1L, (product, size) => product * size));
}

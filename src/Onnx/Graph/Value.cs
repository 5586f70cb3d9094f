namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A tensor in a graph that is being built, known by its name. <see cref="None"/> stands for an optional input that is left out.</summary>
/// <param name="Name">The name, unique in its graph; empty for <see cref="None"/>.</param>
public readonly record struct Value(string Name)
{
    /// <summary>An optional input that is not given (an empty name, as ONNX writes it).</summary>
    public static Value None => new(string.Empty);

    /// <summary>Whether this is a real tensor rather than <see cref="None"/>.</summary>
    public bool IsGiven => !string.IsNullOrEmpty(Name);

    /// <inheritdoc/>
    public override string ToString() => IsGiven ? Name : "(none)";
}

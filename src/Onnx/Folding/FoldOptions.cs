namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>How <see cref="BatchNormFolder"/> treats what is a matter of choice.</summary>
public sealed record FoldOptions
{
    /// <summary>Whether a batch normalization that nothing can take in becomes a Mul and an Add. Default: false, it stays as it is.</summary>
    public bool Expand { get; init; }

    /// <summary>
    /// Whether an initializer that is also a graph input, so that callers may override it (IR version 4 and later), counts as a constant.
    /// Default: false, folding it is declined, because a caller's value would no longer have an effect.
    /// </summary>
    public bool FoldOverridable { get; init; }
}

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

    /// <summary>
    /// Whether a constant that is added or subtracted next to a batch normalization stays a node of its own, which the scale moves past. Default:
    /// false, the two become one: s·x + t. With features far from zero in relation to their spread (years, say) that costs digits, since s·x and t
    /// nearly cancel; s·(x − m) does not.
    /// </summary>
    public bool KeepSubtractions { get; init; }
}

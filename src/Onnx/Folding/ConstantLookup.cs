namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>A constant that a node reads, or why there is none.</summary>
/// <param name="Tensor">The constant, or null.</param>
/// <param name="Reason">Why there is none: a clause for a message.</param>
internal readonly record struct ConstantLookup(RealTensor? Tensor, string Reason)
{
    public static ConstantLookup None(string reason) => new(null, reason);

    public static ConstantLookup Found(RealTensor tensor) => new(tensor, string.Empty);
}

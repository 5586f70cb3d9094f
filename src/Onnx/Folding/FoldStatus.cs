namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>What became of a batch normalization.</summary>
public enum FoldStatus
{
    /// <summary>It is gone: the weights of a neighbouring operator took it in.</summary>
    Folded,

    /// <summary>It is gone: another affine map (a batch normalization, a constant Mul or Add) took it in.</summary>
    Composed,

    /// <summary>Something simpler stands in its place.</summary>
    Rewritten,

    /// <summary>It stands where it stood.</summary>
    Declined,
}

namespace MlNetBatchNorm.Transforms;

/// <summary>The row of a block that getters read: where a cursor stands, or the only row there is.</summary>
internal interface ICurrentRow
{
    /// <summary>Its place in the block. Asking for it makes sure that the row has been scored.</summary>
    int Index { get; }
}

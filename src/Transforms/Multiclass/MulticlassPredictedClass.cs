namespace MlNetBatchNorm.Transforms;

/// <summary>The most probable class as a text, on its way to the key that it becomes when a saved model is scored.</summary>
public sealed class MulticlassPredictedClass
{
    /// <summary>The class.</summary>
    public ReadOnlyMemory<char> PredictedLabel { get; set; }
}

namespace MlNetBatchNorm.Transforms;

/// <summary>The columns that a model for several classes adds.</summary>
internal static class MulticlassColumns
{
    public const string Score = "Score";
    public const string PredictedLabel = "PredictedLabel";
}

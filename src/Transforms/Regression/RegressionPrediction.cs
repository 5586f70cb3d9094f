namespace MlNetBatchNorm.Transforms;

/// <summary>What a regression model says of a row. Also a ready-made class for <c>CreatePredictionEngine</c>.</summary>
public sealed class RegressionPrediction
{
    /// <summary>The predicted number, in the unit of the label.</summary>
    public float Score { get; set; }
}

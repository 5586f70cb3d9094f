namespace MlNetBatchNorm.Transforms;

/// <summary>What a model for two classes says of a row. Also a ready-made class for <c>CreatePredictionEngine</c>.</summary>
public sealed class BinaryPrediction
{
    /// <summary>The logit: above 0 where the row is more likely positive.</summary>
    public float Score { get; set; }

    /// <summary>The probability of the positive class.</summary>
    public float Probability { get; set; }

    /// <summary>Whether the score is above 0.</summary>
    public bool PredictedLabel { get; set; }
}

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>The predictions for a table with two classes.</summary>
/// <param name="Classes">The negative and the positive class.</param>
/// <param name="Scores">The logit of each row.</param>
/// <param name="Probabilities">The probability of the positive class in each row.</param>
/// <param name="UnknownValues">The columns with categories that were not there in training.</param>
public sealed record TablePrediction(
    IReadOnlyList<string> Classes, float[] Scores, float[] Probabilities, IReadOnlyList<UnknownValues> UnknownValues)
{
    /// <summary>The class that is more likely in a row.</summary>
    public string PredictedClass(int row) => Classes[Scores[row] > 0 ? 1 : 0];
}

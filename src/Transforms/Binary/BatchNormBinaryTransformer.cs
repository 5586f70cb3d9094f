using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

/// <summary>A trained network for two classes: adds <c>Score</c> (the logit), <c>Probability</c> and <c>PredictedLabel</c> to its input.</summary>
public sealed class BatchNormBinaryTransformer : BatchNormTransformer
{
    internal BatchNormBinaryTransformer(FittedNetwork fitted)
        : base(fitted, NetworkTask.Binary)
    {
    }

    /// <inheritdoc/>
    public override BatchNormBinaryTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows));
}

using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

/// <summary>A trained network for a number: adds <c>Score</c> (Single, in the unit of the label) to its input.</summary>
public sealed class BatchNormRegressionTransformer : BatchNormTransformer
{
    internal BatchNormRegressionTransformer(FittedNetwork fitted)
        : base(fitted, NetworkTask.Regression)
    {
    }

    /// <inheritdoc/>
    public override BatchNormRegressionTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows));
}

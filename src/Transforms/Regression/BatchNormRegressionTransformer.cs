using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>A trained network for a number: adds <c>Score</c> (Single, in the unit of the label) to its input.</summary>
public sealed class BatchNormRegressionTransformer : BatchNormTransformer
{
    internal BatchNormRegressionTransformer(FittedNetwork fitted)
        : base(fitted, [TrainedNetwork.ScoreOutput], [
            ScoreColumn.Of(nameof(RegressionPrediction.Score), NumberDataViewType.Single, result => result.Span[0]),
        ])
    {
    }

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Regression;

    /// <inheritdoc/>
    public override BatchNormRegressionTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows));

    private protected override SavedForm ToSaved() => SavedForms.Regression(Export.Folded);
}

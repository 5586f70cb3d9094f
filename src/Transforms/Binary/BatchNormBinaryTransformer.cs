using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>A trained network for two classes: adds <c>Score</c> (the logit), <c>Probability</c> and <c>PredictedLabel</c> to its input.</summary>
public sealed class BatchNormBinaryTransformer : BatchNormTransformer
{
    internal BatchNormBinaryTransformer(FittedNetwork fitted)
        : base(fitted, [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput], [
            ScoreColumn.Of(nameof(BinaryPrediction.Score), NumberDataViewType.Single, result => result.Span[0]),
            ScoreColumn.Of(nameof(BinaryPrediction.Probability), NumberDataViewType.Single, result => result.Span[1]),
            ScoreColumn.Of(nameof(BinaryPrediction.PredictedLabel), BooleanDataViewType.Instance, result => result.Span[0] > 0),
        ])
    {
    }

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Binary;

    /// <inheritdoc/>
    public override BatchNormBinaryTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows));

    private protected override SavedForm ToSaved() => SavedForms.Binary(Export.Folded);
}

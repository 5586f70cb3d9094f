using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A trained network for several classes: adds <c>Score</c> (the probability of each class, with the classes as the names of its slots) and
/// <c>PredictedLabel</c> (the key of the most probable class, with the label's own key values) to its input.
/// </summary>
public sealed class BatchNormMulticlassTransformer : BatchNormTransformer
{
    private readonly ClassLabels _labels;

    internal BatchNormMulticlassTransformer(FittedNetwork fitted, ClassLabels labels)
        : base(fitted, NetworkTask.Multiclass(labels)) => _labels = labels;

    /// <inheritdoc/>
    public override BatchNormMulticlassTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows), _labels);
}

using System.Numerics.Tensors;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A trained network for several classes: adds <c>Score</c> (the probability of each class, with the classes as the names of its slots) and
/// <c>PredictedLabel</c> (the key of the most probable class, with the label's own key values) to its input.
/// </summary>
public sealed class BatchNormMulticlassTransformer : BatchNormTransformer
{
    private readonly ClassLabels _labels;

    internal BatchNormMulticlassTransformer(FittedNetwork fitted, ClassLabels labels)
        : base(fitted, [TrainedNetwork.ProbabilityOutput], [
            ScoreColumn.Vector(MulticlassColumns.Score, labels.Texts.Count, labels.ToSlotNames()),
            ScoreColumn.Of(
                MulticlassColumns.PredictedLabel,
                new KeyDataViewType(typeof(uint), labels.Texts.Count),
                result => (uint)TensorPrimitives.IndexOfMax(result.Span) + 1,
                labels.KeyAnnotations),
        ]) => _labels = labels;

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Multiclass;

    /// <summary>The classes as texts, in the order of the slots of <c>Score</c>.</summary>
    public IReadOnlyList<string> Classes => _labels.Texts;

    /// <inheritdoc/>
    public override BatchNormMulticlassTransformer RecomputeStatistics(IDataView rows) => new(Recompute(rows), _labels);

    private protected override SavedForm ToSaved() => SavedForms.Multiclass(Export.Folded, _labels);
}

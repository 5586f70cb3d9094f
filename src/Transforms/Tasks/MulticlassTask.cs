using System.Numerics.Tensors;
using Microsoft.ML;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Trains a batch-normalised network for several classes. Made by <c>ml.MulticlassClassification.Trainers.BatchNormNetwork(…)</c>.
/// </summary>
public sealed class BatchNormMulticlassTrainer : BatchNormTrainer<BatchNormMulticlassTransformer>
{
    internal BatchNormMulticlassTrainer(BatchNormNetworkOptions options)
        : base(options)
    {
    }

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Multiclass;

    private protected override Loss DefaultLoss => Loss.SoftmaxCrossEntropy;

    private protected override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
        (typeof(uint), true, "a key of UInt32 was expected. Put MapValueToKey in front of the trainer.");

    private protected override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellation) =>
        reader.Read<uint>(ClassLabels.CountOf(reader.Label), SetTarget, cancellation);

    private protected override void RequireDifferentLabels(TrainingData rows)
    {
        var first = TensorPrimitives.IndexOfMax(rows.Target(0));
        for (var row = 1; row < rows.Count; row++)
            if (rows.Target(row)[first] == 0) return;
        throw new InvalidDataException(
            $"The label column '{LabelName}' has the key {first + 1} in all {rows.Count} rows; two or more classes are needed to learn from.");
    }

    private protected override IReadOnlyList<string> Classes(DataViewSchema.Column label) => ClassLabels.Read(label).Texts;

    private protected override BatchNormMulticlassTransformer CreateTransformer(FittedNetwork fitted, DataViewSchema.Column label) =>
        new(fitted, ClassLabels.Read(label));

    private protected override SchemaShape AppendColumns(SchemaShape input, string label) => PredictionShape.AppendMulticlass(input, label);

    // Keys count from 1; 0 is a missing one, and whoever sets keys by hand can set one that is too large.
    private static string? SetTarget(uint label, Span<float> target)
    {
        if (label == 0) return "no class: a missing value, or one that MapValueToKey did not know,";
        if (label > target.Length) return $"the key {label} of {target.Length}";
        target[(int)label - 1] = 1;
        return null;
    }
}

using Microsoft.ML;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Trains a batch-normalised network for two classes. Made by <c>ml.BinaryClassification.Trainers.BatchNormNetwork(…)</c>.
/// </summary>
public sealed class BatchNormBinaryTrainer : BatchNormTrainer<BatchNormBinaryTransformer>
{
    internal BatchNormBinaryTrainer(BatchNormNetworkOptions options)
        : base(options)
    {
    }

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Binary;

    private protected override Loss DefaultLoss => Loss.SigmoidCrossEntropy;

    private protected override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
        (typeof(bool), false, "Boolean was expected. Map its two values to true and false first.");

    private protected override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellation) =>
        reader.Read<bool>(1, SetTarget, cancellation);

    private protected override void RequireDifferentLabels(TrainingData rows)
    {
        var positives = rows.TargetArray.Count(target => target > 0.5f);
        if (positives == 0 || positives == rows.Count)
            throw new InvalidDataException(
                $"The label column '{LabelName}' is {(positives == 0 ? "false" : "true")} in all {rows.Count} rows; both classes are needed to learn from.");
    }

    private protected override IReadOnlyList<string> Classes(DataViewSchema.Column label) => ["false", "true"];

    private protected override BatchNormBinaryTransformer CreateTransformer(FittedNetwork fitted, DataViewSchema.Column label) => new(fitted);

    private protected override SchemaShape AppendColumns(SchemaShape input, string label) => PredictionShape.Append<BinaryPrediction>(input);

    private static string? SetTarget(bool label, Span<float> target)
    {
        target[0] = label ? 1 : 0;
        return null;
    }
}

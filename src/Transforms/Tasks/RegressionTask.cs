using Microsoft.ML;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>Trains a batch-normalised network for a number. Made by <c>ml.Regression.Trainers.BatchNormNetwork(…)</c>.</summary>
public sealed class BatchNormRegressionTrainer : BatchNormTrainer<BatchNormRegressionTransformer>
{
    internal BatchNormRegressionTrainer(BatchNormNetworkOptions options)
        : base(options)
    {
    }

    /// <inheritdoc/>
    public override TaskKind Task => TaskKind.Regression;

    private protected override Loss DefaultLoss => Loss.SquaredError;

    private protected override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
        (typeof(float), false, "Single was expected. Put ConvertType in front of the trainer.");

    private protected override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellation) =>
        reader.Read<float>(1, SetTarget, cancellation);

    private protected override void RequireDifferentLabels(TrainingData rows)
    {
        if (Array.TrueForAll(rows.TargetArray, target => target == rows.TargetArray[0]))
            throw new InvalidDataException(
                $"The label column '{LabelName}' is {rows.TargetArray[0]} in all {rows.Count} rows; there is nothing to learn.");
    }

    private protected override IReadOnlyList<string> Classes(DataViewSchema.Column label) => [];

    private protected override BatchNormRegressionTransformer CreateTransformer(FittedNetwork fitted, DataViewSchema.Column label) => new(fitted);

    private protected override SchemaShape AppendColumns(SchemaShape input, string label) => PredictionShape.Append<RegressionPrediction>(input);

    private static string? SetTarget(float label, Span<float> target)
    {
        target[0] = label;
        return float.IsFinite(label) ? null : $"{label}, which is not a finite number,";
    }
}

using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Trains a batch-normalised network for two classes. Made by <c>ml.BinaryClassification.Trainers.BatchNormNetwork(…)</c>.
/// </summary>
public sealed class BatchNormBinaryTrainer : IEstimator<BatchNormBinaryTransformer>
{
    // Rows on which the folded network is compared with the unfolded one.
    private const int VerificationRows = 1000;

    private readonly BatchNormNetworkOptions _options;

    internal BatchNormBinaryTrainer(BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
    }

    /// <summary>Trains the network, folds its batch normalizations and compares both on the training rows.</summary>
    /// <param name="input">Data with the columns that the options name.</param>
    /// <exception cref="ArgumentException">A column is missing or has another type, or an option is out of its range.</exception>
    /// <exception cref="InvalidDataException">A feature is not finite, rows have different lengths, or there is only one class; row and column are named.</exception>
    /// <exception cref="OperationCanceledException">The options' token was cancelled.</exception>
    public BatchNormBinaryTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var reader = new TrainingRowReader(input, _options.LabelColumnName, _options.FeatureColumnName, _options.ExampleWeightColumnName);
        var rows = reader.ReadBinary(_options.CancellationToken);
        RequireTwoClasses(rows);
        var network = NetworkTrainer.Train(
            _options.CreateNetwork((int)rows.Shape.Count, 1),
            Loss.SigmoidCrossEntropy,
            rows,
            _options.ToTrainingOptions(),
            cancellation: _options.CancellationToken);
        var sample = rows.Select([.. Enumerable.Range(0, Math.Min(rows.Count, VerificationRows))]);
        var export = NetworkExporter.Export(network, sample, new ExportOptions { Metadata = Metadata(input.Schema) });
        return new BatchNormBinaryTransformer(network, export, _options.FeatureColumnName, _options.Device);
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        RequireColumn(inputSchema, _options.LabelColumnName, "label");
        RequireColumn(inputSchema, _options.FeatureColumnName, "feature");
        if (_options.ExampleWeightColumnName is { } weight) RequireColumn(inputSchema, weight, "weight");
        return PredictionShape.Append<BinaryPrediction>(inputSchema);
    }

    private Dictionary<string, string> Metadata(DataViewSchema schema)
    {
        var metadata = new Dictionary<string, string>
        {
            [ModelMetadata.Task] = "binary",
            [ModelMetadata.Labels] = TextList.ToJson(["false", "true"]),
            [ModelMetadata.LabelColumn] = _options.LabelColumnName,
        };
        if (Columns.SlotNames(Columns.RequireFeatures(schema, _options.FeatureColumnName)) is { } names)
            metadata[ModelMetadata.FeatureNames] = TextList.ToJson(names);
        return metadata;
    }

    private void RequireTwoClasses(LabeledRows rows)
    {
        var positives = rows.Targets.Count(target => target > 0.5f);
        if (positives == 0 || positives == rows.Count)
            throw new InvalidDataException(
                $"The label column '{_options.LabelColumnName}' is {(positives == 0 ? "false" : "true")} in all {rows.Count} rows; both classes are needed to learn from.");
    }

    private static void RequireColumn(SchemaShape schema, string name, string role)
    {
        if (!schema.Any(column => column.Name == name))
            throw new ArgumentException(
                $"There is no {role} column '{name}'; the columns are {string.Join(", ", schema.Select(column => column.Name))}.", nameof(schema));
    }
}

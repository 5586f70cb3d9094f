using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>From a table to a trained pipeline: works out the columns, trains the network in an ML.NET chain, and tests it.</summary>
public static class TableTrainer
{
    private const string FeaturesColumn = "Features";

    /// <summary>Trains on one table and tests on another.</summary>
    /// <param name="training">The rows to learn from.</param>
    /// <param name="test">The rows to test on; they are not looked at before the end.</param>
    /// <param name="options">What to learn.</param>
    /// <param name="schemaKnown">Called when the columns have been worked out, before training.</param>
    /// <exception cref="TableException">A table does not fit; the message names file, row and column.</exception>
    public static TrainedTable Train(CsvTable training, CsvTable test, TableTrainingOptions options, Action<TableSchema>? schemaKnown = null)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Task != TaskKind.Binary)
            throw new NotSupportedException($"The task {options.Task} is not there yet; use binary.");
        var schema = TableSchema.Infer(training, options.Label, options.Task, options.Schema);

        // Before training, not after it: a test table that does not fit is known at once.
        var testRows = ToRows(test, schema);
        schemaKnown?.Invoke(schema);

        var ml = new MLContext(options.Network.Seed);
        var view = new TableDataView(training, schema);
        var trainer = ml.BinaryClassification.Trainers.BatchNormNetwork(options.Network with
        {
            LabelColumnName = schema.Label.Column,
            FeatureColumnName = FeaturesColumn,
        });
        var featurizer = TablePipeline.Build(ml, schema, FeaturesColumn).Fit(view);
        var network = trainer.Fit(featurizer.Transform(view));
        Describe(network.Export, schema);
        var predictions = new float[testRows.Targets.Length];
        Predict(network, testRows, predictions);
        return new TrainedTable(schema, featurizer, network, network.Network.Loss.Metrics(predictions, testRows), training.RowCount, test.RowCount);
    }

    private static LabeledRows ToRows(CsvTable table, TableSchema schema)
    {
        if (table.Find(schema.Label.Column) is null)
            throw new TableException($"{table.FilePath}: there is no label column '{schema.Label.Column}' to test against; its columns are {string.Join(", ", table.Columns.Select(column => column.Name))}.");
        return new LabeledRows(new SampleShape(schema.Features.FeatureCount), 1, schema.Features.EncodeAll(table), schema.Label.Encode(table));
    }

    private static void Predict(BatchNormBinaryTransformer network, LabeledRows rows, float[] probabilities)
    {
        var results = new float[rows.Count * network.Scorer.ResultLength];
        network.Scorer.ScoreBatch(rows.Features, rows.Count, results);
        results.AsSpan(rows.Count).CopyTo(probabilities);
    }

    private static void Describe(ExportedNetwork export, TableSchema schema)
    {
        foreach (var model in new[] { export.Unfolded, export.Folded })
        {
            ModelFile.SetMetadata(model, ModelMetadata.LabelColumn, schema.Label.Column);
            ModelFile.SetMetadata(model, ModelMetadata.Labels, TextList.ToJson(schema.Label.Classes));
            ModelFile.SetMetadata(model, ModelMetadata.FeatureNames, TextList.ToJson(schema.Features.FeatureNames));
            ModelFile.SetMetadata(model, ModelMetadata.FeatureMap, schema.Features.ToJson());
        }
    }
}

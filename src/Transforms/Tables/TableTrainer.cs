using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
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
    /// <exception cref="NotSupportedException">The whole pipeline is wanted, and one of its transforms cannot be exported.</exception>
    /// <exception cref="VerificationException">In the precision of the options the network is worse on the test rows than they allow.</exception>
    public static TrainedTable Train(CsvTable training, CsvTable test, TableTrainingOptions options, Action<TableSchema>? schemaKnown = null)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        ArgumentNullException.ThrowIfNull(options);
        var schema = TableSchema.Infer(
            training, options.Label, options.Task, options.InputShape is null ? options.Schema : options.Schema with { KeepConstants = true });

        // Before training, not after it: a test table that does not fit and a row without a weight are known at once.
        var testRows = schema.ToRows(test);
        if (schema.WeightColumn is { } weight) RowWeights.ReadTexts(training, weight);
        var network = CreateOptions(options, schema);
        schemaKnown?.Invoke(schema);

        var ml = new MLContext(options.Network.Seed ?? 0);
        var view = new TableDataView(training, schema);
        var featurizer = TablePipeline.Build(ml, schema, FeaturesColumn).Fit(view);
        if (options.WholePipeline) RequireConvertible(featurizer, view.Schema);
        var trained = Fit(ml, featurizer.Transform(view), schema.Label, network);
        Describe(trained.Export, schema);
        try
        {
            var tested = new TestedRows(testRows, Predict(trained.Scorer, testRows));
            var (metrics, float32Metrics) = Measure(trained, tested, options.Network.PrecisionLoss);
            return new TrainedTable(schema, featurizer, trained, metrics, float32Metrics, training.RowCount, tested);
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }

    private static void RequireConvertible(ITransformer featurizer, DataViewSchema table) =>
        PipelineJoiner.RequireConvertible(PipelineSteps.Of(featurizer, table, _ => [FeaturesColumn]).Steps, table);

    private static BatchNormNetworkOptions CreateOptions(TableTrainingOptions options, TableSchema schema)
    {
        // To ML.NET a class of two is a Boolean, whatever its name in the table.
        var classWeights = schema.Label.Task == TaskKind.Binary ? options.Network.ClassWeights?.Rename(schema.Label.Classes, ["false", "true"]) : options.Network.ClassWeights;
        return options.Network with
        {
            LabelColumnName = schema.Label.Column,
            FeatureColumnName = FeaturesColumn,
            ExampleWeightColumnName = schema.WeightColumn,
            ClassWeights = classWeights,
            Network = options.Architecture is { } text ? Network.Parse(text, InputShape(options, schema)) : options.Network.Network,
        };
    }

    private static long[] InputShape(TableTrainingOptions options, TableSchema schema)
    {
        long count = schema.Features.FeatureCount;
        if (options.InputShape is null) return [count];
        var shape = new SampleShape([.. options.InputShape]);
        return shape.Count == count
            ? [.. shape.Sizes]
            : throw new ArgumentException(
                $"The input shape {shape} has {shape.Count} values, but the table gives {count} features from {schema.Features.Columns.Count} columns; every value of the shape is a column of numbers.");
    }

    // Fewer bits were measured on training rows already; what counts is rows that were not learned from.
    private static (IReadOnlyDictionary<string, double> Metrics, IReadOnlyDictionary<string, double> Float32) Measure(
        BatchNormTransformer network, TestedRows tested, double allowedLoss)
    {
        var (rows, loss) = (tested.Rows, network.Network.Loss);
        var metrics = loss.Metrics(tested.Predictions, rows);
        if (network.Export.Reduced is not { } reduced) return (metrics, metrics);
        using var scorer = Scorer.Load(network.Export.Folded, new ScorerSettings { Outputs = [.. network.Scorer.Outputs.Select(output => output.Name)] });
        var float32 = loss.Metrics(Predict(scorer, rows), rows);
        NetworkReducer.RequireWithin(reduced.Precision, float32, metrics, allowedLoss);
        return (metrics, float32);
    }

    private static BatchNormTransformer Fit(MLContext ml, IDataView rows, LabelMap label, BatchNormNetworkOptions options)
    {
        switch (label.Task)
        {
            case TaskKind.Binary:
                return ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(rows);
            case TaskKind.Multiclass:
                // The key is for training only: a pipeline that began with it would ask for a label when it scores.
                var classes = ml.Data.LoadFromEnumerable(label.Classes.Select(name => new MulticlassPredictedClass { PredictedLabel = name.AsMemory() }));
                var toKey = ml.Transforms.Conversion.MapValueToKey(label.Column, label.Column, maximumNumberOfKeys: label.Classes.Count, keyData: classes);
                return ml.MulticlassClassification.Trainers.BatchNormNetwork(options).Fit(toKey.Fit(rows).Transform(rows));
            default:
                return ml.Regression.Trainers.BatchNormNetwork(options).Fit(rows);
        }
    }

    // The last output is the prediction that goes with the loss: the probabilities, or the number itself.
    private static float[] Predict(Scorer scorer, LabeledRows rows)
    {
        var results = new float[rows.Count * scorer.ResultLength];
        scorer.ScoreBatch(rows.Features, rows.Count, results);
        return results[^rows.Targets.Length..];
    }

    private static void Describe(ExportedNetwork export, TableSchema schema)
    {
        foreach (var model in new[] { export.Unfolded, export.Folded, export.Deployed })
        {
            ModelFile.SetMetadata(model.Proto, ModelMetadata.LabelColumn, schema.Label.Column);
            ModelFile.SetMetadata(model.Proto, ModelMetadata.Labels, TextList.ToJson(schema.Label.Classes));
            ModelFile.SetMetadata(model.Proto, ModelMetadata.FeatureNames, TextList.ToJson(schema.Features.FeatureNames));
            ModelFile.SetMetadata(model.Proto, ModelMetadata.FeatureMap, schema.Features.ToJson());
        }
    }
}

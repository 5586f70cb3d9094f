using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.WholePipeline;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What to learn from a table, and how.</summary>
internal sealed record TableTrainingOptions
{
    /// <summary>The column to predict.</summary>
    public required string Label { get; init; }

    /// <summary>What kind of prediction. Default: one of two classes.</summary>
    public LearningTask Task { get; init; } = LearningTask.Binary;

    /// <summary>What the table cannot tell by itself.</summary>
    public TableSchemaOptions Schema { get; init; } = new();

    /// <summary>
    /// An architecture as text (<see cref="Network.Parse"/>), for networks whose input is only known when the table has been read;
    /// null (the default) = that of <see cref="Network"/>.
    /// </summary>
    public string? Architecture { get; init; }

    /// <summary>
    /// With <see cref="Architecture"/>: the shape of a row, as <c>[1, 28, 28]</c> for an image whose columns are its pixels, channels
    /// first; null (the default) = a plain vector. Columns of numbers that are the same in every row then stay, since they are places in
    /// the shape.
    /// </summary>
    public IReadOnlyList<long>? InputShape { get; init; }

    /// <summary>
    /// Whether the whole pipeline is to be exported afterwards (<see cref="TrainedTable.SavePipeline"/>): what stands in the way of that is
    /// then said before training. Default: false.
    /// </summary>
    public bool WholePipeline { get; init; }

    /// <summary>
    /// The network and its training; the column names in it, and those of the classes that have weights, are set by the table.
    /// </summary>
    public BatchNormNetworkOptions Network { get; init; } = new();
}

/// <summary>From a table to a trained pipeline: works out the columns, trains the network, and tests it.</summary>
internal static class TableTrainer
{
    // The most test rows that ML.NET's transforms are tried on.
    private const int ComparedRows = 1000;

    /// <summary>Trains on one table and tests on another.</summary>
    /// <param name="training">The rows to learn from.</param>
    /// <param name="test">The rows to test on; they are not looked at before the end.</param>
    /// <param name="options">What to learn.</param>
    /// <param name="schemaKnown">Called when the columns have been worked out, before training.</param>
    /// <exception cref="TableException">A table does not fit; the message names file, row and column.</exception>
    /// <exception cref="NotSupportedException">The whole pipeline is wanted, and one of its transforms cannot be exported.</exception>
    /// <exception cref="ModelVerificationException">
    /// In the precision of the options the network is worse on the test rows than they allow; or ML.NET's transforms would make other
    /// features.
    /// </exception>
    public static TrainedTable Train(
        CsvTable training, CsvTable test, TableTrainingOptions options, Action<TableSchema>? schemaKnown = null)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        ArgumentNullException.ThrowIfNull(options);
        var schema = TableSchema.Infer(
            training, options.Label, options.Task, options.InputShape is null
                ? options.Schema
                : options.Schema with { KeepConstants = true });

        // Before training, not after it: a table that does not fit is known at once.
        var testRows = schema.ToRows(test);
        var network = CreateOptions(options, schema);
        var ml = new MLContext(network.Seed);
        var rows = TableDataView.ForTraining(training, schema, network.FeatureColumnName);
        schemaKnown?.Invoke(schema);
        var pipeline = schema.Features.ToPipeline(ml, network.FeatureColumnName);
        RequireSameFeatures(pipeline, network.FeatureColumnName, schema, test, testRows);
        if (options.WholePipeline) RequireConvertible(pipeline, network.FeatureColumnName, schema, test);
        var trained = schema.Label.Task.Fit(ml, rows, schema.Label, network);
        try
        {
            var tested = ModelEvaluation.Of(trained.Scorer, trained.Model.Loss, testRows);
            var float32Metrics = MeasureFloat32(trained, testRows, tested.Metrics, network.AllowedMetricLoss);
            var predicted = new TestedRows(testRows, tested.Predictions);
            return new TrainedTable(schema, pipeline, trained, tested.Metrics, float32Metrics, training.RowCount, predicted);
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }

    // What is saved with the network, for programs without this one, must make of a row what the network is tested with.
    private static void RequireSameFeatures(ITransformer pipeline, string column, TableSchema schema, CsvTable test, TrainingData tested)
    {
        var made = pipeline.Transform(new TableDataView(test, schema.Features));
        var (row, width, features) = (0, schema.Features.FeatureCount, new float[schema.Features.FeatureCount]);
        foreach (var vector in made.GetColumn<VBuffer<float>>(column).Take(ComparedRows))
        {
            vector.CopyTo(features);
            var expected = tested.FeatureArray.AsSpan(row * width, width);
            var place = expected.CommonPrefixLength(features);
            if (place < width)
                throw new ModelVerificationException(
                    $"ML.NET's transforms make {features[place]:R} of '{schema.Features.FeatureNames[place]}' in test row {row + 1}, but "
                    + $"the network is given {expected[place]:R}; nothing was trained.");
            row++;
        }
    }

    private static void RequireConvertible(ITransformer pipeline, string column, TableSchema schema, CsvTable table)
    {
        var raw = new TableDataView(table, schema.Features).Schema;
        PipelineJoiner.RequireConvertible(PipelineSteps.Of(pipeline, raw, _ => [column]).Steps, raw);
    }

    private static BatchNormNetworkOptions CreateOptions(TableTrainingOptions options, TableSchema schema) => options.Network with
    {
        LabelColumnName = schema.Label.Column,
        IsEvaluatedElsewhere = true,
        FeatureColumnName = FeaturesColumn(schema),
        ExampleWeightColumnName = schema.WeightColumn,
        Network = options.Architecture is { } text ? Network.Parse(text, InputShape(options, schema)) : options.Network.Network,
        Seed = options.Network.Seed ?? 0,
        Metadata = TableDescription.ToMetadata(schema),
    };

    // Labels and weights stand beside the features.
    private static string FeaturesColumn(TableSchema schema)
    {
        var name = "Features";
        while (name == schema.Label.Column || name == schema.WeightColumn) name += "'";
        return name;
    }

    private static long[] InputShape(TableTrainingOptions options, TableSchema schema)
    {
        long count = schema.Features.FeatureCount;
        if (options.InputShape is null) return [count];
        var shape = new SampleShape([.. options.InputShape]);
        return shape.Count == count
            ? [.. shape.Sizes]
            : throw new ArgumentException(
                $"The input shape {shape} has {shape.Count} values, but the table gives {count} features from "
                + $"{schema.Features.Columns.Count} columns; every value of the shape is a column of numbers.");
    }

    // Fewer bits were measured on training rows already; what counts is rows that were not learned from.
    private static MetricValues MeasureFloat32(BatchNormTransformer network, TrainingData rows, MetricValues metrics, double allowedLoss)
    {
        if (network.Export.Reduced is not { } reduced) return metrics;
        using var scorer = OnnxScorer.Load(network.Export.Folded, new OnnxScorerOptions { Outputs = network.Task.Outputs });
        var float32 = ModelEvaluation.Of(scorer, network.Model.Loss, rows).Metrics;
        NetworkReducer.RequireWithin(reduced.Precision, new MetricComparison(float32, metrics), allowedLoss);
        return float32;
    }
}

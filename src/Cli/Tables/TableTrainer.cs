using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Data;
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
    /// Makes the network for rows of a shape, which is only known when the table has been read; null (the default) = that of
    /// <see cref="Network"/>.
    /// </summary>
    public Func<long[], Network>? Architecture { get; init; }

    /// <summary>
    /// With <see cref="Architecture"/>: the shape of a row, as <c>[1, 28, 28]</c> for an image whose columns are its pixels, channels
    /// first; null (the default) = a plain vector. Columns of numbers that are the same in every row then stay, since they are places in
    /// the shape.
    /// </summary>
    public IReadOnlyList<long>? InputShape { get; init; }

    /// <summary>Rows to measure each epoch by; null (the default) = the trainer draws some of those to learn from.</summary>
    public CsvTable? Validation { get; init; }

    /// <summary>
    /// Rows to learn from that say what the columns are, where those of <see cref="Ranks"/> have to agree; null (the default) = all that
    /// this process learns from.
    /// </summary>
    public CsvTable? Known { get; init; }

    /// <summary>
    /// The processes that train together, each on its share of the rows and with its share of the test rows; null (the default) = this one
    /// alone.
    /// </summary>
    public Communicator? Ranks { get; init; }

    /// <summary>
    /// Whether the whole pipeline is to be exported afterwards (<see cref="TrainedTable.SavePipeline"/>): what stands in the way of that is
    /// then said before training. Default: false.
    /// </summary>
    public bool WholePipeline { get; init; }

    /// <summary>
    /// Finds better options for the network by the rows to learn from, and nothing else; null (the default) = those that are given.
    /// </summary>
    public Func<MLContext, IDataView, BatchNormNetworkOptions, BatchNormNetworkOptions>? Tune { get; init; }

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
        CsvTable training, TestTable test, TableTrainingOptions options, Action<TableSchema>? schemaKnown = null)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        ArgumentNullException.ThrowIfNull(options);
        var watch = options.Network.Watch;
        watch?.Stage("finding out what the columns are");
        var schema = TableSchema.Infer(
            options.Known ?? training, options.Label, options.Task, options.InputShape is null
                ? options.Schema
                : options.Schema with { KeepConstants = true });

        // What reading took beside the table would stay where the features are to be.
        if ((long)training.RowCount * training.Columns.Count >= FeatureRows.ValuesAtOnce) GC.Collect();

        // Before training, not after it: a table that does not fit is known at once.
        if (options.Validation is { } held) RequireKnownClasses(schema.Label, training, held, "validate by");
        watch?.Stage("making features of the test rows");
        var testRows = test.Read(
            schema, options.Network.RowMemory, block => RequireKnownClasses(schema.Label, training, block, "test on"));
        var network = CreateOptions(options, schema);
        var ml = new MLContext(network.Seed);
        var rows = TableDataView.ForTraining(training, schema, network.FeatureColumnName);
        if (options.Validation is { } validation)
            network = network with { ValidationSet = TableDataView.ForTraining(validation, schema, network.FeatureColumnName) };
        schemaKnown?.Invoke(schema);
        var pipeline = schema.Features.ToPipeline(ml, network.FeatureColumnName);
        RequireSameFeatures(pipeline, network.FeatureColumnName, schema, test.First(), testRows);
        if (options.WholePipeline) RequireConvertible(pipeline, network.FeatureColumnName, schema, test.First());
        (var view, network) = schema.Label.Task.Prepare(ml, rows, schema.Label, network);
        if (options.Tune is { } tune) network = tune(ml, view, network);
        var trained = schema.Label.Task.Fit(ml, view, network);
        TrainingData? answers = null;
        try
        {
            // One engine, so that the same seed gives the same figures to the last digit.
            watch?.Stage("testing");
            using var measured = trained.CreateScorer(
                new() { Outputs = trained.Measured.Outputs, Engine = ScoringEngine.OnnxRuntime });
            testRows = testRows.CountedFrom(trained.Measured.Offset);
            var tested = Evaluate(measured);
            if (tested.Predictions.Length > 0 && Array.TrueForAll(tested.Predictions, float.IsNaN))
                throw new ModelVerificationException("The network gives NaN for every test row; nothing was written.");
            var float32Metrics = MeasureFloat32(trained, Evaluate, tested.Metrics, network.AllowedMetricLoss);
            var predicted = new TestedRows(answers ?? testRows, tested.Predictions);
            var learned = options.Ranks?.Numbers(training.RowCount).Sum() ?? training.RowCount;
            return new TrainedTable(
                schema, pipeline, trained, tested.Metrics, float32Metrics, (int)Math.Min(int.MaxValue, learned), predicted);

            // With ranks each one's predictions for its own test rows, those of rank 0 first.
            ModelEvaluation Evaluate(OnnxScorer scorer)
            {
                var own = ModelEvaluation.Of(scorer, trained.Model.Loss, testRows);
                if (options.Ranks is not { } ranks) return own;
                answers ??= new SharedRows(ranks, testRows).Targets();
                float[] all = [.. ranks.AllGather<float>(own.Predictions).SelectMany(part => part)];
                return new ModelEvaluation(all, trained.Model.Loss.Measure(all, answers));
            }
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }

    // A class that is only held back is no mistake in the table.
    private static void RequireKnownClasses(LabelMap label, CsvTable training, CsvTable held, string use)
    {
        if (label.Classes.Count == 0 || held.Find(label.Column) is not { } column) return;
        var advice = held.FilePath == training.FilePath
            ? "drawn at random, of each class some stay to learn from"
            : "add rows of it to learn from, or remove the row";
        for (var row = 0; row < held.RowCount; row++)
            if (!column.IsMissing(row) && !label.HasClass(column, row))
                throw held.CellError(
                    row,
                    label.Column,
                    $"the class {NameList.Quote(column[row])} is among the rows to {use} but not among those to learn from "
                    + $"({NameList.Of(label.Classes, 20)}); {advice}.");
    }

    // What is saved with the network, for programs without this one, must make of a row what the network is tested with.
    private static void RequireSameFeatures(ITransformer pipeline, string column, TableSchema schema, CsvTable test, TrainingData tested)
    {
        var made = pipeline.Transform(new TableDataView(test, schema.Features));
        var (row, width, features) = (0, schema.Features.FeatureCount, new float[schema.Features.FeatureCount]);
        foreach (var vector in made.GetColumn<VBuffer<float>>(column).Take(ComparedRows))
        {
            vector.CopyTo(features);
            var expected = tested.Row(row);
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
        Communicator = options.Ranks,
        FeatureColumnName = FeaturesColumn(schema),
        ExampleWeightColumnName = schema.WeightColumn,
        EmbeddedFeatures = schema.Features.EmbeddedFeatures,
        Network = options.Architecture is { } create ? create(InputShape(options, schema)) : options.Network.Network,
        Seed = options.Network.Seed ?? 0,
        Metadata = TableDescription.ToMetadata(schema),

        // Columns of a table are looked at in float64, and what they lose is in their reports.
        Warning = warning =>
        {
            if (warning.Kind != TrainingWarningKind.DigitsLost) options.Network.Warning?.Invoke(warning);
        },
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
    private static MetricValues MeasureFloat32(
        BatchNormTransformer network, Func<OnnxScorer, ModelEvaluation> evaluate, MetricValues metrics, double allowedLoss)
    {
        if (network.Export.Reduced is not { } reduced) return metrics;
        using var scorer = OnnxScorer.Load(network.Export.Folded, new OnnxScorerOptions { Outputs = network.Measured.Outputs });
        var float32 = evaluate(scorer).Metrics;
        NetworkReducer.RequireWithin(reduced.Precision, new MetricComparison(float32, metrics), allowedLoss);
        return float32;
    }
}

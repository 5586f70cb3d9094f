using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Scores the rows of a table with a model that was trained on one.</summary>
internal static class TableScorer
{
    /// <summary>Scores with an exported network (<c>.onnx</c>) or a saved pipeline (<c>.zip</c>). The task is the model's.</summary>
    /// <param name="modelPath">The model.</param>
    /// <param name="table">The rows; columns that the model does not know are passed over.</param>
    /// <param name="settings">Device, threads and batch size; null = the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="InvalidModelException">The file is not a model, or not one that was trained on a table.</exception>
    /// <exception cref="TableException">The table lacks columns, or has texts where numbers are needed.</exception>
    public static TablePrediction Score(string modelPath, CsvTable table, ScorerSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (!File.Exists(modelPath)) throw new FileNotFoundException($"There is no file '{modelPath}'.", modelPath);
        return Path.GetExtension(modelPath).Equals(".zip", StringComparison.OrdinalIgnoreCase)
            ? ScorePipeline(modelPath, table, settings ?? new ScorerSettings())
            : ScoreNetwork(modelPath, table, settings ?? new ScorerSettings());
    }

    private static TablePrediction ScoreNetwork(string path, CsvTable table, ScorerSettings settings)
    {
        var model = ModelFile.Read(path);
        ModelMetadata.RequireKnownFormat(model.MetadataProps.Select(entry => KeyValuePair.Create(entry.Key, entry.Value)), $"'{path}'");
        if (ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is not { } map || ModelFile.GetMetadata(model, ModelMetadata.Labels) is not { } labels)
            throw new InvalidModelException(
                $"'{path}' does not say how its features are made from a table (there is no metadata '{ModelMetadata.FeatureMap}'); score tables with a model that 'train' wrote.");
        if (TaskNames.Find(ModelFile.GetMetadata(model, ModelMetadata.Task)) is not { } task)
            throw new InvalidModelException(
                $"'{path}' predicts '{ModelFile.GetMetadata(model, ModelMetadata.Task)}'; one of {string.Join(", ", TaskNames.All)} was expected.");

        var encoder = FeatureMap.FromJson(map).Bind(table);
        string[] outputs = task switch
        {
            TaskKind.Binary => [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput],
            TaskKind.Multiclass => [TrainedNetwork.ProbabilityOutput],
            _ => [TrainedNetwork.ScoreOutput],
        };
        using var scorer = Scorer.Load(path, settings with { Outputs = outputs });
        if (scorer.RowLength != encoder.FeatureCount)
            throw new InvalidModelException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{path}' takes {scorer.RowLength} features, but its metadata describes {encoder.FeatureCount}; the file has been changed since it was trained."));
        var classes = TextList.FromJson(labels);
        if (task == TaskKind.Multiclass && scorer.ResultLength != classes.Length)
            throw new InvalidModelException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{path}' gives {scorer.ResultLength} probabilities, but its metadata names {classes.Length} classes; the file has been changed since it was trained."));
        var results = new float[encoder.RowCount * scorer.ResultLength];
        scorer.ScoreBatch(encoder.EncodeAll(), encoder.RowCount, results);
        var scores = task == TaskKind.Multiclass ? [] : results[..encoder.RowCount];
        return new TablePrediction(task, classes, scores, results[scores.Length..], encoder.UnknownValues) { Device = scorer.DeviceReport };
    }

    private static TablePrediction ScorePipeline(string path, CsvTable table, ScorerSettings settings)
    {
        var ml = new MLContext();
        var loaded = Load(ml, path, out var schema);
        if (PipelineSchema.Read(schema) is not { } description)
            throw new InvalidModelException($"'{path}' does not say how its columns are made from a table; score tables with a model that 'train' wrote.");
        var pipeline = ml.Model.ForBatchedScoring(
            loaded, new BatchedScoringOptions(settings));
        var scored = pipeline.Transform(new TableDataView(table, description.Features));
        var (scores, probabilities) = description.Task switch
        {
            TaskKind.Binary => ReadBinary(ml, scored, table.RowCount),
            TaskKind.Multiclass => ([], [.. scored.GetColumn<float[]>(MulticlassColumns.Score).SelectMany(row => row)]),
            _ => (scored.GetColumn<float>(nameof(RegressionPrediction.Score)).ToArray(), Array.Empty<float>()),
        };
        (pipeline as IDisposable)?.Dispose();
        (loaded as IDisposable)?.Dispose();
        return new TablePrediction(description.Task, description.Classes, scores, probabilities, description.Features.Bind(table).UnknownValues);
    }

    private static (float[] Scores, float[] Probabilities) ReadBinary(MLContext ml, IDataView scored, int count)
    {
        var scores = new float[count];
        var probabilities = new float[count];
        var row = 0;
        foreach (var prediction in ml.Data.CreateEnumerable<BinaryPrediction>(scored, reuseRowObject: true))
        {
            scores[row] = prediction.Score;
            probabilities[row++] = prediction.Probability;
        }

        return (scores, probabilities);
    }

    private static ITransformer Load(MLContext ml, string path, out DataViewSchema schema)
    {
        try
        {
            return ml.Model.Load(path, out schema);
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException or InvalidDataException or ArgumentException)
        {
            throw new InvalidModelException($"'{path}' is not a saved ML.NET pipeline, or is cut off: {exception.Message.ReplaceLineEndings(" ")}", exception);
        }
    }
}

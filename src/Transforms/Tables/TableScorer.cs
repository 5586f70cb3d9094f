using System.Globalization;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>Scores the rows of a table with a model that was trained on one.</summary>
public static class TableScorer
{
    /// <summary>Scores with an exported network (<c>.onnx</c>) or a saved pipeline (<c>.zip</c>).</summary>
    /// <param name="modelPath">The model.</param>
    /// <param name="table">The rows; columns that the model does not know are passed over.</param>
    /// <param name="settings">Device and batch size for an exported network; null = the defaults. ML.NET runs a saved pipeline as it likes.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="InvalidModelException">The file is not a model, or not one that was trained on a table.</exception>
    /// <exception cref="TableException">The table lacks columns, or has texts where numbers are needed.</exception>
    public static TablePrediction Score(string modelPath, CsvTable table, ScorerSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (!File.Exists(modelPath)) throw new FileNotFoundException($"There is no file '{modelPath}'.", modelPath);
        return Path.GetExtension(modelPath).Equals(".zip", StringComparison.OrdinalIgnoreCase)
            ? ScorePipeline(modelPath, table)
            : ScoreNetwork(modelPath, table, settings ?? new ScorerSettings());
    }

    private static TablePrediction ScoreNetwork(string path, CsvTable table, ScorerSettings settings)
    {
        var model = ModelFile.Read(path);
        if (ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is not { } map || ModelFile.GetMetadata(model, ModelMetadata.Labels) is not { } labels)
            throw new InvalidModelException(
                $"'{path}' does not say how its features are made from a table (there is no metadata '{ModelMetadata.FeatureMap}'); score tables with a model that 'train' wrote.");
        if (ModelFile.GetMetadata(model, ModelMetadata.Task) is not "binary")
            throw new InvalidModelException($"'{path}' predicts '{ModelFile.GetMetadata(model, ModelMetadata.Task)}'; binary was expected.");

        var encoder = FeatureMap.FromJson(map).Bind(table);
        using var scorer = Scorer.Load(path, settings with { Outputs = [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput] });
        if (scorer.RowLength != encoder.FeatureCount)
            throw new InvalidModelException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{path}' takes {scorer.RowLength} features, but its metadata describes {encoder.FeatureCount}; the file has been changed since it was trained."));
        var results = new float[encoder.RowCount * 2];
        scorer.ScoreBatch(encoder.EncodeAll(), encoder.RowCount, results);
        return new TablePrediction(TextList.FromJson(labels), results[..encoder.RowCount], results[encoder.RowCount..], encoder.UnknownValues);
    }

    private static TablePrediction ScorePipeline(string path, CsvTable table)
    {
        var ml = new MLContext();
        var pipeline = Load(ml, path, out var schema);
        if (PipelineSchema.Read(schema) is not var (features, classes))
            throw new InvalidModelException($"'{path}' does not say how its columns are made from a table; score tables with a model that 'train' wrote.");
        var scored = pipeline.Transform(new TableDataView(table, features));
        var rows = ml.Data.CreateEnumerable<BinaryPrediction>(scored, reuseRowObject: true);
        var scores = new float[table.RowCount];
        var probabilities = new float[table.RowCount];
        var count = 0;
        foreach (var row in rows)
        {
            scores[count] = row.Score;
            probabilities[count++] = row.Probability;
        }

        (pipeline as IDisposable)?.Dispose();
        return new TablePrediction(classes, scores, probabilities, features.Bind(table).UnknownValues);
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

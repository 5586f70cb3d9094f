using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.WholePipeline;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// Scores the rows of a table with a model that was trained on one: an exported network (<c>.onnx</c>) or a saved pipeline (<c>.zip</c>),
/// whose network says as much of its features. Either way they are made by the <see cref="FeatureMap"/>, as in training.
/// </summary>
internal static class TableScorer
{
    /// <summary>Scores all rows. The task is the model's.</summary>
    /// <param name="modelPath">The model.</param>
    /// <param name="table">The rows; columns that the model does not know are passed over.</param>
    /// <param name="settings">Device, threads and batch size; null = the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="InvalidModelException">The file is not a model, or not one that was trained on a table.</exception>
    /// <exception cref="TableException">The table lacks columns, or has texts where numbers are needed.</exception>
    public static TablePrediction Score(string modelPath, CsvTable table, OnnxScorerOptions? settings = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (!File.Exists(modelPath)) throw new FileNotFoundException($"There is no file '{modelPath}'.", modelPath);
        settings ??= new OnnxScorerOptions();
        if (Path.GetExtension(modelPath).Equals(".zip", StringComparison.OrdinalIgnoreCase))
        {
            using var pipeline = Load(modelPath, settings);
            var network = PipelineSteps.Flatten(pipeline).OfType<BatchNormTransformer>().FirstOrDefault()
                ?? throw new InvalidModelException(
                $"'{modelPath}' holds no batch-normalised network; score tables with a model that 'train' wrote.");
            return Score(modelPath, network.Proto, table, _ => network.Scorer);
        }

        var model = ModelFile.Read(modelPath);
        ModelMetadata.RequireKnownFormat(
            model.MetadataProps.Select(entry => KeyValuePair.Create(entry.Key, entry.Value)), $"'{modelPath}'");
        OnnxScorer? loaded = null;
        try
        {
            return Score(
                modelPath, model, table, task => loaded = OnnxScorer.Load(modelPath, settings with { Outputs = task.Network.Outputs }));
        }
        finally
        {
            loaded?.Dispose();
        }
    }

    private static TablePrediction Score(string path, ModelProto model, CsvTable table, Func<TableTask, OnnxScorer> open)
    {
        // What is wrong with the table is said before a device is looked for.
        var description = TableDescription.Read(model, path);
        var (task, classes) = (description.Task, description.Classes);
        var encoder = description.Features.Bind(table);
        var scorer = open(task);
        if (scorer.RowLength != encoder.FeatureCount)
            throw Changed($"takes {scorer.RowLength} features, but its metadata describes {encoder.FeatureCount}");
        if (!task.CanHave(classes.Count)) throw Changed($"predicts '{task.Name}', but its metadata names {classes.Count} classes");
        if (scorer.ResultLength != task.ValuesOfRow(classes.Count))
            throw Changed($"gives {scorer.ResultLength} values for a row, but its metadata names {classes.Count} classes");
        var values = ModelEvaluation.Score(scorer, encoder.ToRows());
        return new TablePrediction(task, classes, encoder.RowCount, values, encoder.UnknownValues, scorer.DeviceReport);

        InvalidModelException Changed(FormattableString what) =>
            new($"'{path}' {what.ToString(CultureInfo.InvariantCulture)}; the file has been changed since it was trained.");
    }

    private static TransformerChain<ITransformer> Load(string path, OnnxScorerOptions settings)
    {
        var options = new BatchedScoringOptions { Device = settings.Device, Threads = settings.Threads };
        try
        {
            return new MLContext().Model.LoadBatched(
                path, out _, settings.BatchSize is { } rows ? options with { BatchSize = rows } : options);
        }
        catch (Exception exception) when (
            exception is FormatException or InvalidOperationException or InvalidDataException or ArgumentException)
        {
            throw new InvalidModelException(
                $"'{path}' is not a saved ML.NET pipeline, or is cut off: {exception.Message.ReplaceLineEndings(" ")}", exception);
        }
    }
}

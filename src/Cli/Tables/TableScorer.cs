using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Transforms.WholePipeline;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// Scores the rows of a table with a model that was trained on one: an exported network (<c>.onnx</c>) or a saved pipeline (<c>.zip</c>),
/// whose network says as much of its features, which are made by the <see cref="FeatureMap"/>, as in training; or a whole pipeline
/// (<c>.onnx</c>), which is given the columns themselves.
/// </summary>
internal sealed class TableScorer : IDisposable
{
    private readonly string _path;
    private readonly TableTask _task;
    private readonly IReadOnlyList<string> _classes;
    private readonly double _labelOffset;
    private readonly Func<string, CellReading> _readings;
    private readonly Func<CsvTable, float[]> _score;
    private readonly List<IDisposable> _owned = [];
    private readonly Dictionary<string, UnknownValues> _unknown = [];
    private OnnxScorer? _scorer;
    private float[] _features = [];

    private TableScorer(string path, ModelProto model, Func<IReadOnlyList<string>, OnnxScorer> open)
    {
        _path = path;
        var description = TableDescription.Read(model, path);
        (_task, _classes, _labelOffset) = (description.Task, description.Classes, description.LabelOffset);
        _readings = description.Features.Readings();
        _score = table =>
        {
            // What is wrong with the table is said before a device is looked for.
            var encoder = description.Features.Bind(table);
            _scorer ??= OpenScorer(() => open(description.Outputs), encoder.FeatureCount);
            foreach (var unknown in encoder.UnknownValues) Note(unknown);
            return Score(_scorer, encoder);
        };
    }

    private TableScorer(string path, PipelineScorer pipeline)
    {
        _path = path;
        (_task, _classes) = (pipeline.Task, pipeline.Classes);
        _readings = pipeline.ReadingOf;
        Device = pipeline.Device;
        Owned(pipeline);
        _score = table => pipeline.Score(table, Note);
    }

    /// <summary>The columns with categories that were not there in training, in the rows that have been scored.</summary>
    public IReadOnlyCollection<UnknownValues> UnknownValues => _unknown.Values;

    /// <summary>The device that is used, and why; null before the first rows.</summary>
    public DeviceReport? Device
    {
        get => field ?? _scorer?.DeviceReport;
        private init;
    }

    /// <summary>Opens a model. The task is the model's.</summary>
    /// <param name="modelPath">The model.</param>
    /// <param name="settings">Device, threads and batch size; null = the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="InvalidModelException">The file is not a model, or not one that was trained on a table.</exception>
    public static TableScorer Open(string modelPath, OnnxScorerOptions? settings = null)
    {
        if (!File.Exists(modelPath)) throw new FileNotFoundException($"There is no file '{modelPath}'.", modelPath);
        // Measuring would take longer than scoring most tables, and what follows from it gives other last digits each time.
        settings = (settings ?? new OnnxScorerOptions()) with { Engine = ScoringEngine.OnnxRuntime, IsReproducible = true };
        if (!Path.GetExtension(modelPath).Equals(".zip", StringComparison.OrdinalIgnoreCase))
        {
            var model = ModelFile.Read(modelPath);
            ModelMetadata.RequireKnownFormat(
                model.MetadataProps.Select(entry => KeyValuePair.Create(entry.Key, entry.Value)), $"'{modelPath}'");
            return PipelineScorer.TryOpen(modelPath, model, settings) is { } columns
                ? new TableScorer(modelPath, columns)
                : new TableScorer(modelPath, model, outputs => OnnxScorer.Load(modelPath, settings with { Outputs = outputs }));
        }

        var pipeline = Load(modelPath, settings);
        try
        {
            var network = PipelineSteps.Flatten(pipeline).OfType<BatchNormTransformer>().FirstOrDefault()
                ?? throw new InvalidModelException(
                $"'{modelPath}' holds no batch-normalised network; score tables with a model that 'train' wrote.");
            var opened = new TableScorer(modelPath, network.Proto, _ => network.CreateScorer(
                network.Measured.Offset == 0 ? settings : settings with { Outputs = network.Measured.Outputs }));
            opened.Owned(pipeline);
            return opened;
        }
        catch
        {
            pipeline.Dispose();
            throw;
        }
    }

    /// <summary>Goes through a file and scores its rows, some at a time, whatever its size.</summary>
    /// <param name="reader">The file; columns that the model does not know are passed over.</param>
    /// <param name="kept">Columns of it that go with the predictions.</param>
    /// <exception cref="TableException">The table lacks columns, or has texts where numbers are needed.</exception>
    public IEnumerable<TablePrediction> Score(CsvTableReader reader, params IReadOnlyList<string> kept) => reader.ReadTables()
        .Select(table => Score(table) with { Kept = [.. kept.Select(table.Column)] });

    /// <summary>Opens a table for <see cref="Score(CsvTableReader, IReadOnlyList{string})"/>.</summary>
    /// <param name="source">The table.</param>
    /// <param name="kept">Columns of which the texts will be asked for.</param>
    /// <exception cref="TableException">It cannot be read, or is no table.</exception>
    public CsvTableReader Read(CsvSource source, params IReadOnlyList<string> kept)
    {
        // Their texts are wanted, whatever they are to the model.
        return CsvTableReader.Open(source, name => kept.Contains(name) ? CellReading.Text : _readings(name));
    }

    /// <summary>Scores all rows of a table.</summary>
    /// <param name="table">The rows; columns that the model does not know are passed over.</param>
    /// <exception cref="TableException">The table lacks columns, or has texts where numbers are needed.</exception>
    public TablePrediction Score(CsvTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        return new TablePrediction(_task, _classes, table.RowCount, _score(table), _labelOffset);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = _owned.Count - 1; i >= 0; i--) _owned[i].Dispose();
        _owned.Clear();
    }

    private void Note(UnknownValues unknown) =>
        _unknown[unknown.Column] = _unknown.TryGetValue(unknown.Column, out var known) ? known.Add(unknown) : unknown;

    private T Owned<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    // Many categories are written out a few rows at a time.
    private float[] Score(OnnxScorer scorer, FeatureEncoder encoder)
    {
        var (rows, width) = (encoder.RowCount, encoder.FeatureCount);
        if ((long)rows * width > FeatureRows.ValuesAtOnce) return ModelEvaluation.Score(scorer, encoder.ToRows());
        if (_features.Length < rows * width) _features = new float[rows * width];
        for (var row = 0; row < rows; row++) encoder.Encode(row, _features.AsSpan(row * width, width));
        var values = new float[rows * scorer.ResultLength];
        scorer.ScoreBatch(_features.AsSpan(0, rows * width), rows, values);
        return values;
    }

    private OnnxScorer OpenScorer(Func<OnnxScorer> open, int features)
    {
        var (task, classes) = (_task, _classes.Count);
        var scorer = Owned(open());
        if (scorer.RowLength != features) throw Changed($"takes {scorer.RowLength} features, but its metadata describes {features}");
        if (!task.CanHave(classes)) throw Changed($"predicts '{task.Name}', but its metadata names {classes} classes");
        if (scorer.ResultLength != task.ValuesOfRow(classes))
            throw Changed($"gives {scorer.ResultLength} values for a row, but its metadata names {classes} classes");
        return scorer;

        InvalidModelException Changed(FormattableString what) =>
            new($"'{_path}' {what.ToString(CultureInfo.InvariantCulture)}; the file has been changed since it was trained.");
    }

    private static TransformerChain<ITransformer> Load(string path, OnnxScorerOptions settings)
    {
        var options = new BatchedScoringOptions { Device = settings.Device, Threads = settings.Threads };
        return new MLContext().Model.LoadBatched(
            path, out _, settings.BatchSize is { } rows ? options with { BatchSize = rows } : options);
    }
}

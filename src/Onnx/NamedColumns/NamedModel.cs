using System.Collections.Concurrent;
using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tables;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>What the outputs of a model that is given named columns mean.</summary>
/// <param name="Task">What is predicted: <c>binary</c>, <c>multiclass</c> or <c>regression</c>.</param>
/// <param name="Labels">The classes, for two of them the negative one first; none for regression.</param>
/// <param name="Offset">What is to be added to a number that is predicted.</param>
/// <param name="Outputs">The outputs that say it: of a binary task the score and the probability, of others one.</param>
internal sealed record NamedOutputs(string Task, IReadOnlyList<string> Labels, double Offset, IReadOnlyList<string> Outputs)
{
    /// <summary>How many values a row's outputs are.</summary>
    public int Width => Task switch
    {
        ModelMetadata.Binary => 2,
        ModelMetadata.Multiclass => Labels.Count,
        _ => 1,
    };
}

/// <summary>
/// A model that is given rows by the names of their columns: a network whose metadata say how its features are made of them, or a pipeline
/// whose inputs are the columns themselves.
/// </summary>
internal abstract class NamedModel : IDisposable
{
    private readonly ConcurrentBag<RowLane> _lanes = [];
    private volatile bool _disposed;

    private protected NamedModel(RowColumns columns, NamedOutputs outputs) => (Columns, Outputs) = (columns, outputs);

    /// <summary>The columns of a row.</summary>
    public RowColumns Columns { get; }

    /// <summary>What the outputs mean.</summary>
    public NamedOutputs Outputs { get; }

    /// <summary>The most rows that go through the model at once.</summary>
    public abstract int BatchSize { get; }

    /// <summary>Which device was asked for, and which is in use.</summary>
    public abstract DeviceReport DeviceReport { get; }

    /// <summary>The outputs of the model that are computed.</summary>
    public abstract IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The metadata of the model.</summary>
    public abstract IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Whether the inputs of a model are columns of a table, each one.</summary>
    /// <param name="inputs">The inputs.</param>
    /// <param name="map">How features are made, as far as the model says so.</param>
    public static bool IsPipeline(IReadOnlyList<TensorInfo> inputs, FeatureMap? map) => inputs.Count > 0
        && inputs.All(input => map is null ? IsColumn(input) : map.Columns.Any(column => column.Name == input.Name && Has(input, column)));

    /// <summary>The error that a model does not say how its inputs are made of columns.</summary>
    public static InvalidModelException WithoutColumns(string path, IReadOnlyList<TensorInfo> inputs) => new(
        $"'{path}' takes {TextList.First([.. inputs.Select(input => input.ToString())], 3)}, and does not say how that is made from the "
        + $"columns of a table (there is no metadata '{ModelMetadata.FeatureMap}'); take model.onnx, model.zip or pipeline.onnx as "
        + "'mlnetbn train' writes them, or a whole pipeline that ConvertToFoldedOnnx wrote, whose inputs are columns.");

    /// <summary>The columns of a row of a model, as far as it says so; null = it does not.</summary>
    /// <exception cref="InvalidDataException">Its features are not described in a way that is known here.</exception>
    public static RowColumns? ColumnsOf(ModelProto model)
    {
        var map = ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is { } json ? FeatureMap.FromJson(json) : null;
        var label = ModelFile.GetMetadata(model, ModelMetadata.LabelColumn);
        return map is not null ? RowColumns.Of(map, label)
            : new OnnxModel(model).Inputs is var inputs && IsPipeline(inputs, null) ? RowColumns.Of(inputs, label) : null;
    }

    /// <summary>Loads a model.</summary>
    /// <param name="model">The model, for what it says of itself.</param>
    /// <param name="path">Its file.</param>
    /// <param name="options">How to run it.</param>
    /// <exception cref="InvalidModelException">
    /// It does not say what its columns or its outputs mean; the message says what to do.
    /// </exception>
    public static NamedModel Load(ModelProto model, string path, OnnxScorerOptions options)
    {
        ModelMetadata.RequireKnownFormat(
            model.MetadataProps.Select(entry => KeyValuePair.Create(entry.Key, entry.Value)), $"'{path}'");
        var info = new OnnxModel(model);
        var map = Read(ModelMetadata.FeatureMap) is { } json ? FeatureMap.FromJson(json) : null;
        var (task, label) = (Read(ModelMetadata.Task), Read(ModelMetadata.LabelColumn));
        var isPipeline = IsPipeline(info.Inputs, map);
        if (map is null && !isPipeline) throw WithoutColumns(path, info.Inputs);
        if (task is not (ModelMetadata.Binary or ModelMetadata.Multiclass or ModelMetadata.Regression))
            throw new InvalidModelException(
                $"'{path}' takes columns, but does not say what it predicts (its metadata '{ModelMetadata.Task}' is "
                + $"{(task is null ? "not there" : $"'{task}'")}; {ModelMetadata.Binary}, {ModelMetadata.Multiclass} or "
                + $"{ModelMetadata.Regression} was expected); take a model that this library trained.");
        var labels = Read(ModelMetadata.Labels) is { } names ? TextList.FromJson(names) : [];
        if (task == ModelMetadata.Binary ? labels.Length != 2 : task == ModelMetadata.Multiclass && labels.Length < 2)
            throw new InvalidModelException(
                $"'{path}' predicts '{task}', but its metadata '{ModelMetadata.Labels}' name {labels.Length} classes; the file has been "
                + "changed since it was trained.");
        var offset = isPipeline || Read(ModelMetadata.LabelOffset) is not { } text ? 0
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
            : throw new InvalidModelException($"'{path}' has the label offset '{text}', which is no number.");
        string[] wanted = task switch
        {
            ModelMetadata.Binary => [ModelMetadata.ScoreOutput, ModelMetadata.ProbabilityOutput],
            ModelMetadata.Multiclass when !isPipeline => [ModelMetadata.ProbabilityOutput],
            ModelMetadata.Regression when offset != 0 => [ModelMetadata.ScoreAboveOffsetOutput],
            _ => [ModelMetadata.ScoreOutput],
        };
        // A pipeline that reads a column of that name gives the output another one.
        string[] outputs =
            [.. wanted.Select(name => info.Outputs.Any(output => output.Name == $"{name}.output") ? $"{name}.output" : name)];
        var meaning = new NamedOutputs(task, labels, offset, outputs);
        options = options with { Outputs = outputs };
        NamedModel loaded = isPipeline
            ? new PipelineModel(
                RowModel.Load(path, new RowModelSettings { Run = options, Outputs = outputs, IsReproducible = options.IsReproducible }),
                info.Inputs, map, label, meaning)
            : new FeatureModel(OnnxScorer.Load(path, options), map!, label, meaning);
        try
        {
            loaded.RequireSizes(path);
            return loaded;
        }
        catch
        {
            loaded.Dispose();
            throw;
        }

        string? Read(string key) => ModelFile.GetMetadata(model, key);
    }

    /// <summary>Buffers for rows, to be given back.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed of.</exception>
    public RowLane Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _lanes.TryTake(out var lane) ? lane : CreateLane();
    }

    /// <summary>Takes buffers back.</summary>
    public void Return(RowLane lane)
    {
        _lanes.Add(lane);
        if (_disposed) Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        Clear();
        DisposeModel();
    }

    private protected abstract RowLane CreateLane();

    private protected abstract void DisposeModel();

    /// <summary>Makes sure that the model has the sizes that its metadata describe.</summary>
    private protected virtual void RequireSizes(string path)
    {
        var width = Tensors.Sum(output => output.Shape.Skip(1).Aggregate(1L, (product, size) => product * (size.Size ?? 0)));
        if (width != Outputs.Width)
            throw new InvalidModelException(
                $"'{path}' gives {width} values for a row, but its metadata describe {Outputs.Width}; the file has been changed since it "
                + "was trained.");
    }

    private static bool IsColumn(TensorInfo input) =>
        input.Shape.Count is 1 or 2 && (input.Shape.Count == 1 || input.Shape[1].Size == 1)
        && (input.Type == DataType.String || ElementTypes.Find(input.Type) is { IsPlain: true });

    // Words are counted before the graph.
    private static bool Has(TensorInfo input, FeatureColumn column) => column is TextFeature
        ? input is { Type: DataType.Float, Shape: [_, var size] } && size.Size == column.FeatureCount
        : IsColumn(input);

    private void Clear()
    {
        while (_lanes.TryTake(out var lane)) lane.Dispose();
    }
}

/// <summary>What one call at a time needs: the cells of a row, and buffers for rows.</summary>
internal abstract class RowLane(NamedModel model) : IDisposable
{
    /// <summary>The row that is being read.</summary>
    public RowCells Cells { get; } = new(model.Columns.CellCount, model.Columns.All.Count);

    /// <summary>Makes room for so many rows, at most <see cref="NamedModel.BatchSize"/>.</summary>
    public abstract void Reserve(int rows);

    /// <summary>Takes the cells as a row.</summary>
    public abstract void Put(int row);

    /// <summary>Scores the first rows.</summary>
    /// <returns>Their results: one output after the other, each of them row by row.</returns>
    public abstract ReadOnlySpan<float> Run(int rows);

    /// <inheritdoc/>
    public abstract void Dispose();
}

using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using System.Text.Json;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.NamedColumns;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// Scores rows that are given by the names of their columns, as texts, numbers and dates: with a <c>model.onnx</c> that
/// <c>mlnetbn train</c> wrote, whose metadata say how its features are made of them, or with a whole pipeline (<c>pipeline.onnx</c>, or
/// what <c>ConvertToFoldedOnnx</c> wrote). Both give the numbers that <c>mlnetbn score</c> gives for the same rows. Safe for many threads;
/// it may be disposed of while others score: they finish.
/// </summary>
/// <remarks>
/// <para>
/// A row is a JSON object (a <see cref="JsonElement"/> or <see cref="JsonDocument"/>), or of any type with a property for each column, such
/// as a record: what reads it is made once for each type. A property belongs to the column of its name, whatever its case and without
/// what is neither letter nor digit (<c>MonthlyCharges</c> to <c>monthly_charges</c>), or of the name in <c>[JsonPropertyName]</c>;
/// <c>[JsonIgnore]</c> takes it out. Names in JSON are the columns' own. The column that is predicted may be there and is passed over; any
/// other that the model does not know is an error, and so is one that is not there.
/// </para>
/// <para>
/// null means that there is no value, which for a column of numbers is the mean in training. Texts are read as those in a table: empty
/// ones, NA and NaN are no value, a number may be written as the table writes its numbers, a date as the table writes its dates. Truth
/// values are taken where a column has one text that says yes and one that says no. A text that was not there in training counts as none of
/// the known ones, and <see cref="RowPrediction.UnknownColumns"/> names its column.
/// </para>
/// </remarks>
public sealed class BatchNormScorer : IDisposable
{
    private readonly NamedModel _model;
    private readonly RowReaders _readers;

    private BatchNormScorer(NamedModel model)
    {
        _model = model;
        _readers = new RowReaders(model.Columns);
        Columns = [.. model.Columns.All.Select(column => column.Name)];
        try
        {
            _ = ScoreBlank(); // The first run plans its memory; better now than with the first customer waiting.
        }
        catch (ModelRunException exception)
        {
            model.Dispose();
            throw new InvalidModelException($"The model loads, but does not score a row without values: {exception.Message}", exception);
        }
    }

    /// <summary>The names of the columns that a row must have.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>The classes, for two of them the negative one first; empty for regression.</summary>
    public IReadOnlyList<string> Labels => _model.Outputs.Labels;

    /// <summary>The outputs of the model that predictions are made of.</summary>
    public IReadOnlyList<TensorInfo> Outputs => _model.Tensors;

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _model.Metadata;

    /// <summary>Which device was asked for, which is in use, and what was tried on the way.</summary>
    public DeviceReport DeviceReport => _model.DeviceReport;

    /// <summary>Loads a model.</summary>
    /// <param name="path">The ONNX file; external data is found beside it.</param>
    /// <param name="options">How to run it, but for its outputs; null = the shortest time for one row on the CPU.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">
    /// It is not a model, or one that does not say how its inputs are made of the columns of a table, or what its outputs predict.
    /// </exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static BatchNormScorer Load(string path, OnnxScorerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            return new BatchNormScorer(NamedModel.Load(ModelFile.Read(path), path, options ?? new()));
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidModelException($"'{path}': {exception.Message}", exception);
        }
    }

    /// <summary>Scores one row.</summary>
    /// <typeparam name="TRow"><see cref="JsonElement"/>, <see cref="JsonDocument"/>, or a type with a property for each column.</typeparam>
    /// <param name="row">The row.</param>
    /// <exception cref="ArgumentException">
    /// The row lacks columns, has one that the model does not know, or a value that its column cannot have; the message names the column,
    /// and says what was given, what is expected and what to do.
    /// </exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed of.</exception>
    public RowPrediction Score<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(TRow row)
    {
        if (row is null) throw new ArgumentNullException(nameof(row)); // Without a box for a JsonElement.
        var read = _readers.For<TRow>();
        var lane = _model.Rent();
        try
        {
            lane.Reserve(1);
            read(row, lane.Cells);
            lane.Put(0);
            return Prediction(lane.Run(1), 1, 0, UnknownOf(lane.Cells));
        }
        finally
        {
            _model.Return(lane);
        }
    }

    /// <summary>Scores many rows, in batches.</summary>
    /// <inheritdoc cref="Score{TRow}(TRow)"/>
    /// <param name="rows">The rows; a message says which one is wrong, from 0.</param>
    public RowPrediction[] ScoreBatch<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(
        IReadOnlyList<TRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var predictions = new RowPrediction[rows.Count];
        if (rows.Count == 0) return predictions;
        var (read, size) = (_readers.For<TRow>(), Math.Min(rows.Count, _model.BatchSize));
        var unknown = new IReadOnlyList<string>[size];
        var lane = _model.Rent();
        try
        {
            lane.Reserve(size);
            for (var first = 0; first < rows.Count; first += size)
            {
                var count = Math.Min(size, rows.Count - first);
                for (var i = 0; i < count; i++)
                {
                    Read(first + i);
                    lane.Put(i);
                    unknown[i] = UnknownOf(lane.Cells);
                }

                var values = lane.Run(count);
                for (var i = 0; i < count; i++) predictions[first + i] = Prediction(values, count, i, unknown[i]);
            }

            return predictions;
        }
        finally
        {
            _model.Return(lane);
        }

        void Read(int index)
        {
            try
            {
                read(rows[index] ?? throw new ArgumentException("It is null."), lane.Cells);
            }
            catch (ArgumentException exception)
            {
                throw new ArgumentException($"Row {index}: {exception.Message}", exception);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    /// <summary>The model, for those who read rows in their own way.</summary>
    internal NamedModel Model => _model;

    /// <summary>The prediction for a row without values.</summary>
    internal RowPrediction ScoreBlank()
    {
        var lane = _model.Rent();
        try
        {
            lane.Reserve(1);
            lane.Cells.Begin();
            foreach (var column in _model.Columns.All) column.Blank(lane.Cells);
            lane.Put(0);
            return Prediction(lane.Run(1), 1, 0, []);
        }
        finally
        {
            _model.Return(lane);
        }
    }

    private static IReadOnlyList<string> UnknownOf(RowCells cells) =>
        cells.Unknown.Count == 0 ? [] : [.. cells.Unknown.Select(unknown => unknown.Column).Distinct()];

    private RowPrediction Prediction(ReadOnlySpan<float> values, int rows, int row, IReadOnlyList<string> unknown)
    {
        var (task, labels) = (_model.Outputs.Task, Labels);
        switch (task)
        {
            case ModelMetadata.Binary:
                var (score, probability) = (values[row], values[rows + row]);
                return new RowPrediction
                {
                    PredictedLabel = labels[score > 0 ? 1 : 0],
                    Score = score,
                    Probability = probability,
                    UnknownColumns = unknown,
                };
            case ModelMetadata.Multiclass:
                var all = values.Slice(row * labels.Count, labels.Count);
                var place = TensorPrimitives.IndexOfMax(all);
                return new RowPrediction
                {
                    PredictedLabel = labels[place],
                    Probability = all[place],
                    Probabilities = all.ToArray(),
                    UnknownColumns = unknown,
                };
            default:
                return new RowPrediction { Score = _model.Outputs.Offset + values[row], UnknownColumns = unknown };
        }
    }
}

/// <summary>What is predicted for a row.</summary>
public readonly record struct RowPrediction
{
    /// <summary>The predicted class; null for regression.</summary>
    public string? PredictedLabel { get; init; }

    /// <summary>
    /// Regression: the number, in the unit of the label. Two classes: the logarithm of the odds of the positive one, which is predicted
    /// above 0. Several classes: null.
    /// </summary>
    public double? Score { get; init; }

    /// <summary>Two classes: the probability of the positive one. Several: that of the predicted one. Regression: null.</summary>
    public float? Probability { get; init; }

    /// <summary>Several classes: the probability of each, in the order of <see cref="BatchNormScorer.Labels"/>; else null.</summary>
    public IReadOnlyList<float>? Probabilities { get; init; }

    /// <summary>
    /// The columns whose value was not there in training, so that it counts as none of the known ones; empty as a rule, and for pipelines
    /// that were not written by <c>mlnetbn train</c>.
    /// </summary>
    public IReadOnlyList<string> UnknownColumns
    {
        get => field ?? [];
        init;
    }
}

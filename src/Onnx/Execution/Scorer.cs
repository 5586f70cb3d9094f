using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Scores rows with a model that has one float32 input <c>[N, …]</c> and float32 outputs <c>[N, …]</c>. Safe for many threads: each call
/// borrows a set of bound buffers, so after the first calls nothing is allocated.
/// </summary>
public sealed class Scorer : IDisposable
{
    private readonly OnnxSession _session;
    private readonly ScoringLanePool _single;
    private readonly ScoringLanePool _batch;
    private readonly int _batchSize;

    private Scorer(OnnxSession session, ScorerSettings settings)
    {
        _session = session;
        if (session.Inputs is not [{ Type: DataType.Float, Shape: [{ Size: null }, ..] } input] || input.Shape.Skip(1).Any(size => size.Size is null))
            throw new InvalidModelException(
                $"The model's inputs are {string.Join("; ", session.Inputs)}; scoring rows needs one float32 input whose first dimension is free and whose others are fixed.");
        Outputs = [.. (settings.Outputs ?? [.. session.Outputs.Select(output => output.Name)]).Select(name => Output(session, name))];
        RowShape = [.. input.Shape.Skip(1).Select(size => size.Size!.Value)];
        RowLength = (int)RowShape.Aggregate(1L, (product, size) => product * size);
        ResultLength = Outputs.Sum(Width);
        _batchSize = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(settings.BatchSize, 1));
        _single = new ScoringLanePool(() => new ScoringLane(session, input.Name, RowShape, Outputs, 1));
        _batch = new ScoringLanePool(() => new ScoringLane(session, input.Name, RowShape, Outputs, _batchSize));

        // The first run of a session plans its memory; better now than with the first customer waiting.
        Score(new float[RowLength], new float[ResultLength]);
    }

    /// <summary>The shape of one row.</summary>
    public IReadOnlyList<long> RowShape { get; }

    /// <summary>The numbers in one row.</summary>
    public int RowLength { get; }

    /// <summary>The outputs that are computed, in order.</summary>
    public IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>The numbers in one row's result: all outputs one behind the other.</summary>
    public int ResultLength { get; }

    /// <summary>The device in use.</summary>
    public Device ActualDevice => _session.ActualDevice;

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _session.Metadata;

    /// <summary>Loads a model from a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that scores rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static Scorer Load(string path, ScorerSettings? settings = null) =>
        Create(sessionSettings => OnnxSession.Load(path, sessionSettings), settings ?? new());

    /// <summary>Loads a model from memory.</summary>
    /// <exception cref="InvalidModelException">It is not a model, or not one that scores rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static Scorer Load(byte[] model, ScorerSettings? settings = null) =>
        Create(sessionSettings => OnnxSession.Load(model, sessionSettings), settings ?? new());

    /// <summary>Loads a model that was just built.</summary>
    /// <exception cref="InvalidModelException">It does not score rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static Scorer Load(ModelProto model, ScorerSettings? settings = null) =>
        Create(sessionSettings => OnnxSession.Load(model, sessionSettings), settings ?? new());

    /// <summary>Scores one row.</summary>
    /// <param name="row"><see cref="RowLength"/> numbers.</param>
    /// <param name="result">Room for <see cref="ResultLength"/> numbers: the outputs one behind the other.</param>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public void Score(ReadOnlySpan<float> row, Span<float> result)
    {
        RequireLengths(1, row.Length, result.Length);
        var lane = _single.Rent();
        lane.Run(row, 1);
        for (int output = 0, start = 0; output < Outputs.Count; output++)
        {
            var values = lane.Result(output, 1);
            values.CopyTo(result[start..]);
            start += values.Length;
        }

        _single.Return(lane);
    }

    /// <summary>Scores many rows.</summary>
    /// <param name="rows">The rows one behind the other, <paramref name="count"/> × <see cref="RowLength"/> numbers.</param>
    /// <param name="count">The number of rows.</param>
    /// <param name="result">
    /// Room for <paramref name="count"/> × <see cref="ResultLength"/> numbers: first the first output of every row, then the second of every
    /// row, and so on.
    /// </param>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public void ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        RequireLengths(count, rows.Length, result.Length);
        if (count == 0) return;
        var lane = _batch.Rent();
        for (var first = 0; first < count; first += _batchSize)
        {
            var part = Math.Min(_batchSize, count - first);
            lane.Run(rows.Slice(first * RowLength, part * RowLength), part);
            for (int output = 0, start = 0; output < Outputs.Count; output++)
            {
                var values = lane.Result(output, part);
                values.CopyTo(result[(start + (first * (values.Length / part)))..]);
                start += count * (values.Length / part);
            }
        }

        _batch.Return(lane);
    }

    /// <summary>
    /// Makes buffers for a caller that writes rows in place and reads the results in place, as a cursor over many rows does.
    /// </summary>
    /// <param name="capacity">The most rows at once.</param>
    public RowBlock CreateBlock(int capacity) => new(
        _session,
        [new RowTensor(_session.Inputs[0].Name, DataType.Float, RowShape)],
        [.. Outputs.Select(output => new RowTensor(output.Name, output.Type, [.. output.Shape.Skip(1).Select(size => size.Size!.Value)]))],
        capacity);

    /// <inheritdoc/>
    public void Dispose()
    {
        _single.Dispose();
        _batch.Dispose();
        _session.Dispose();
    }

    private static Scorer Create(Func<SessionSettings, OnnxSession> load, ScorerSettings settings)
    {
        var session = load(new SessionSettings { Device = settings.Device, Threads = settings.Threads });
        try
        {
            return new Scorer(session, settings);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static TensorInfo Output(OnnxSession session, string name)
    {
        var output = session.Outputs.FirstOrDefault(output => output.Name == name) ?? throw new InvalidModelException(
            $"The model has no output '{name}'; its outputs are {string.Join(", ", session.Outputs.Select(output => output.Name))}.");
        if (output.Type != DataType.Float || output.Shape.Count == 0 || output.Shape.Skip(1).Any(size => size.Size is null))
            throw new InvalidModelException($"The output {output} cannot be read row by row: float32 with one free dimension in front was expected.");
        return output;
    }

    private static int Width(TensorInfo output) => (int)output.Shape.Skip(1).Aggregate(1L, (product, size) => product * size.Size!.Value);

    private void RequireLengths(int count, int rows, int result)
    {
        if (count < 0 || rows != count * RowLength)
            throw new ArgumentException($"{count} row(s) of {RowLength} features need {count * RowLength} numbers, but {rows} were given.", nameof(rows));
        if (result < count * ResultLength)
            throw new ArgumentException($"The results of {count} row(s) need room for {count * ResultLength} numbers, but there is room for {result}.", nameof(result));
    }
}

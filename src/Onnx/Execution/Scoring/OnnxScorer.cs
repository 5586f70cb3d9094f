using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx;

/// <summary>
/// Scores rows with a model whose inputs and outputs are float32 <c>[N, …]</c>. Safe for many threads, without a lock: each call borrows a
/// set of bound buffers, so after the first calls nothing is allocated. It may be disposed while others score: they finish, and later calls
/// get an <see cref="ObjectDisposedException"/>.
/// </summary>
/// <remarks>
/// Each row's result must depend on that row alone, as in every model that was made for rows: a run may hold rows of no meaning behind the
/// caller's own.
/// </remarks>
public sealed class OnnxScorer : IDisposable
{
    private readonly ScoringLanePool _lanes;

    private OnnxScorer(RowModel model)
    {
        Rows = model;
        Outputs = [.. model.Outputs.Select(output => model.Session.RequireOutput(output.Name))];
        RowShape = model.Inputs is [var input] ? input.Shape : [RowLength];
        _lanes = new ScoringLanePool(() => new ScoringLane(model));

        Warm();
    }

    /// <summary>The shape of one row; for several inputs <c>[RowLength]</c>.</summary>
    public IReadOnlyList<long> RowShape { get; }

    /// <summary>The numbers in one row: all inputs one behind the other.</summary>
    public int RowLength => Rows.Layout.RowLength;

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<TensorInfo> Inputs => Rows.Session.Inputs;

    /// <summary>The outputs that are computed, in order.</summary>
    public IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>The numbers in one row's result: all outputs one behind the other.</summary>
    public int ResultLength => Rows.Layout.ResultLength;

    /// <summary>The most rows that go through the model at once.</summary>
    public int BatchSize => Rows.Layout.BatchSize;

    /// <summary>
    /// The threads that share one operator of a single row, given or chosen; 0 = one for each processor that the process may use. Where it
    /// was chosen, batches that take several cores less time run on them.
    /// </summary>
    public int Threads => Rows.Sessions.Plan.Threads;

    /// <summary>
    /// What computes a single row: <see cref="ScoringEngine.OnnxRuntime"/> or <see cref="ScoringEngine.Direct"/>, given or chosen.
    /// </summary>
    public ScoringEngine Engine => Rows.Direct?.TakesOne == true ? ScoringEngine.Direct : ScoringEngine.OnnxRuntime;

    /// <summary>What computes which numbers of rows, and where that is ONNX Runtime alone, why: a clause for people.</summary>
    public string EngineReport => Rows.Engine;

    /// <summary>The device in use.</summary>
    public Device Device => Rows.Session.Device;

    /// <summary>Which device was asked for, which is in use, and what was tried on the way.</summary>
    public DeviceReport DeviceReport => Rows.Session.DeviceReport;

    /// <summary>
    /// What ONNX Runtime would have got wrong in this model, and does not do: for each the optimizations that are switched off, the nodes
    /// and the reason. Empty for almost all models, and with <see cref="ExecutionOptions.AllowKnownWrongFusions"/>.
    /// </summary>
    public IReadOnlyList<string> AvoidedFusions => [.. Rows.Session.Avoided.Select(fault => fault.ToString())];

    /// <summary>How tensors get to the model on its device.</summary>
    internal MemoryReport Memory => Rows.Session.Memory;

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata => Rows.Session.Metadata;

    /// <summary>Loads a model from a file.</summary>
    /// <param name="path">The file; external data is found beside it.</param>
    /// <param name="options">How to run it; null = the shortest time for one row on the CPU.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">It is not a model, or not one that scores rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxScorer Load(string path, OnnxScorerOptions? options = null) =>
        Load(ReloadableModel.Of(path, options?.Sessions, free: options?.Threads is null), options ?? new());

    /// <summary>Loads a model from memory.</summary>
    /// <param name="model">The bytes of the file.</param>
    /// <param name="options">How to run it; null = the shortest time for one row on the CPU.</param>
    /// <exception cref="InvalidModelException">It is not a model, or not one that scores rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxScorer Load(byte[] model, OnnxScorerOptions? options = null) => Load(ReloadableModel.Of(model), options ?? new());

    /// <summary>Loads a model from a stream, which is read from where it stands to its end, and not closed.</summary>
    /// <param name="model">The bytes of the file.</param>
    /// <param name="options">How to run it; null = the shortest time for one row on the CPU.</param>
    /// <exception cref="InvalidModelException">It is not a model, or not one that scores rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxScorer Load(Stream model, OnnxScorerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var bytes = new MemoryStream();
        model.CopyTo(bytes);
        return Load(bytes.ToArray(), options);
    }

    /// <summary>Loads a model that was just built.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How to run it; null = the shortest time for one row on the CPU.</param>
    /// <exception cref="InvalidModelException">It does not score rows.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxScorer Load(OnnxModel model, OnnxScorerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Load(model.Proto, options);
    }

    /// <summary>The same for our own assemblies.</summary>
    internal static OnnxScorer Load(ModelProto model, OnnxScorerOptions? options = null) => Load(model.ToByteArray(), options);

    /// <summary>Scores one row.</summary>
    /// <param name="row"><see cref="RowLength"/> numbers.</param>
    /// <param name="result">Room for <see cref="ResultLength"/> numbers: the outputs one behind the other.</param>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed.</exception>
    public void Score(ReadOnlySpan<float> row, Span<float> result)
    {
        RequireLengths(1, row.Length, result.Length);
        var lane = _lanes.Rent();
        try
        {
            lane.Score(row, result);
        }
        catch
        {
            lane.Dispose();
            throw;
        }

        _lanes.Return(lane);
    }

    /// <summary>Scores one row into a new array; <see cref="Output"/> finds an output in it.</summary>
    /// <param name="row"><see cref="RowLength"/> numbers.</param>
    /// <returns><see cref="ResultLength"/> numbers: the outputs one behind the other.</returns>
    /// <inheritdoc cref="Score(ReadOnlySpan{float}, Span{float})" path="/exception"/>
    public float[] Score(ReadOnlySpan<float> row)
    {
        var result = new float[ResultLength];
        Score(row, result);
        return result;
    }

    /// <summary>Scores many rows into a new array; <see cref="Output"/> finds an output in it.</summary>
    /// <param name="rows">The rows, as in the other overload; there are as many as <see cref="RowLength"/> goes into them.</param>
    /// <returns>The results, as in the other overload.</returns>
    /// <inheritdoc cref="ScoreBatch(ReadOnlySpan{float}, int, Span{float})" path="/exception"/>
    public float[] ScoreBatch(ReadOnlySpan<float> rows)
    {
        var count = rows.Length / RowLength;
        var result = new float[(long)count * ResultLength];
        ScoreBatch(rows, count, result);
        return result;
    }

    /// <summary>The part of a result that belongs to one output.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="result">What a call gave, for one row or for many.</param>
    /// <returns>The output of the first row, then of the second, and so on.</returns>
    /// <exception cref="ArgumentException">The scorer computes no such output, or the result is none of whole rows.</exception>
    public ReadOnlySpan<float> Output(string name, ReadOnlySpan<float> result)
    {
        var index = RowLayout.IndexOf(Rows.Outputs, name, "output");
        if (result.Length % ResultLength != 0)
            throw new ArgumentException($"A row's result has {ResultLength} numbers, but {result.Length} were given.", nameof(result));
        var (rows, start) = (result.Length / ResultLength, 0);
        for (var i = 0; i < index; i++) start += Rows.Outputs[i].Count;
        return result.Slice(start * rows, Rows.Outputs[index].Count * rows);
    }

    /// <summary>
    /// Scores many rows. From the second time on that the same memory is given, the model reads and writes it in place: callers who keep
    /// their buffers save a copy.
    /// </summary>
    /// <param name="rows">
    /// <paramref name="count"/> × <see cref="RowLength"/> numbers: the rows one behind the other. For several inputs first every row of the
    /// first input, then every row of the second, and so on.
    /// </param>
    /// <param name="count">The number of rows.</param>
    /// <param name="result">
    /// Room for <paramref name="count"/> × <see cref="ResultLength"/> numbers: first the first output of every row, then the second of
    /// every row, and so on.
    /// </param>
    /// <exception cref="ArgumentException">The lengths are not those.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed.</exception>
    public void ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        RequireLengths(count, rows.Length, result.Length);
        if (count == 0) return;
        var lane = _lanes.Rent();
        try
        {
            lane.ScoreBatch(rows, count, result);
        }
        catch
        {
            lane.Dispose();
            throw;
        }

        _lanes.Return(lane);
    }

    /// <summary>Scores rows in place, by the names of inputs and outputs: <c>using var call = scorer.Rent(rows)</c>.</summary>
    /// <param name="rows">From 1 to <see cref="BatchSize"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another number of rows.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed.</exception>
    public ScorerCall Rent(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, BatchSize);
        return new ScorerCall(this, _lanes.Rent(), rows);
    }

    /// <summary>
    /// Makes buffers for a caller that writes rows in place and reads the results in place, as a cursor over many rows does.
    /// </summary>
    /// <param name="capacity">The most rows at once.</param>
    internal RowBlock CreateBlock(int capacity) => Rows.CreateBlock(capacity);

    /// <summary>
    /// Makes tensors for a number of rows where the model reads and writes them, and a run that is tied to them: for callers whose rows
    /// stay on the device from call to call. <see cref="DeviceRun.Run"/> copies nothing and allocates nothing.
    /// </summary>
    /// <param name="rows">The rows of each run.</param>
    /// <param name="tensors">
    /// Tensors that are there already, by the name of the input or output that they are to be, such as another model's outputs on the same
    /// device; null = none.
    /// </param>
    /// <exception cref="ArgumentException">A tensor is for no input or output, or has another shape or type than the model's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// Fewer than one row, or another number than the only one that the model takes.
    /// </exception>
    /// <exception cref="ModelRunException">The device has no room.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed.</exception>
    public DeviceRun CreateDeviceRun(int rows, IReadOnlyDictionary<string, DeviceTensor>? tensors = null) =>
        new(Rows.Session, Rows.Layout, rows, tensors);

    /// <summary>The model as it is run on rows of any types.</summary>
    internal RowModel Rows { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lanes.Dispose();
        Rows.Dispose();
    }

    internal void Return(ScoringLane lane) => _lanes.Return(lane);

    private static OnnxScorer Load(ReloadableModel model, OnnxScorerOptions options)
    {
        if (options.Sessions is <= 0)
            throw new ArgumentOutOfRangeException(nameof(options), options.Sessions, "A scorer needs at least one session.");
        var (pace, rows) = (new RowPace(), new RowModelSettings
        {
            Run = options,
            Outputs = options.Outputs,
            IsReproducible = options.IsReproducible,
        });
        var threads = options.Threads ?? (options.IsReproducible ? model.ThreadsUnmeasured : null);
        var scorer = threads is { } given ? Create(given) : ThreadChoice.Load(model.Identity, Create, options, pace);
        try
        {
            scorer.Rows.ChooseEngine(model, options.Engine, options);
            if (scorer.Rows.Direct is not null) scorer.Warm();
            return scorer;
        }
        catch
        {
            scorer.Dispose();
            throw;
        }

        OnnxScorer Create(int threads)
        {
            var opened = RowModel.Open(model, rows, threads, options.Sessions, pace, RowLayout.OfNumbers);
            try
            {
                return new OnnxScorer(opened);
            }
            catch (ModelRunException exception)
            {
                opened.Dispose();
                throw new InvalidModelException($"The model loads, but does not score a row of zeros: {exception.Message}", exception);
            }
            catch
            {
                opened.Dispose();
                throw;
            }
        }
    }

    // The first run of a session plans its memory; better now than with the first customer waiting.
    private void Warm()
    {
        _lanes.Clear();
        Score(new float[RowLength], new float[ResultLength]);
    }

    private void RequireLengths(int count, int rows, int result)
    {
        if (count < 0 || rows != (long)count * RowLength)
            throw new ArgumentException(
                $"{count} row(s) of {RowLength} features need {(long)count * RowLength} numbers, but {rows} were given.", nameof(rows));
        if (result < (long)count * ResultLength)
            throw new ArgumentException(
                $"The results of {count} row(s) need room for {(long)count * ResultLength} numbers, but there is room for {result}.",
                nameof(result));
    }
}

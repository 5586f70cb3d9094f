using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// Buffers for some rows of a model's inputs and outputs, and the runs that are bound to them: rows are written in place, scored together
/// and read in place, so that after the first runs nothing is copied or allocated (texts excepted). One thread at a time; many blocks may
/// exist for one model.
/// </summary>
internal class RowBlock : IDisposable
{
    private readonly RowSlot[] _inputs;
    private readonly RowSlot[] _outputs;
    private readonly ChosenRuns<BlockRuns> _runs;
    private readonly DirectRuns? _direct;

    // Texts have native tensors of their own for each number of rows.
    private readonly bool _hasTexts;

    /// <summary>Makes the buffers.</summary>
    /// <param name="session">The model.</param>
    /// <param name="sessions">All its sessions, where cores may share the rows; null = the rows run on the one session.</param>
    /// <param name="layout">How rows lie in it.</param>
    /// <param name="capacity">The most rows at once; rounded up to a power of two. Without effect where the model fixes the number.</param>
    /// <param name="direct">What evaluates rows without the session; null = nothing does.</param>
    public RowBlock(OnnxSession session, ModelSessions? sessions, RowLayout layout, int capacity, DirectScoring? direct = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        FixedRows = layout.FixedRows;
        Capacity = FixedRows ?? (int)BitOperations.RoundUpToPowerOf2((uint)capacity);
        _inputs = [.. layout.Inputs.Select(input => RowSlot.Create(session, input, Capacity, layout))];
        _outputs = [.. layout.Outputs.Select(output => RowSlot.Create(session, output, Capacity, layout))];
        _hasTexts = _inputs.Concat(_outputs).Any(slot => slot is RowSlot.ITexts);
        _runs = new(session, sessions, (where, workers) => new BlockRuns(where, this, workers));
        _direct = direct?.CreateRuns();
    }

    /// <summary>The most rows at once.</summary>
    public int Capacity { get; }

    /// <summary>The number of rows that the model always takes; null = any.</summary>
    public int? FixedRows { get; }

    /// <summary>Whether rows from the middle of the buffers can be run.</summary>
    public bool CanBeCut => !_hasTexts && FixedRows is null;

    /// <summary>The values of an input: row after row.</summary>
    /// <typeparam name="T">Its element type.</typeparam>
    /// <param name="index">Its place among the inputs.</param>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public TensorBuffer<T> Input<T>(int index)
        where T : unmanaged => Numbers<T>(_inputs[index]);

    /// <summary>The values of an output: row after row.</summary>
    /// <typeparam name="T">Its element type.</typeparam>
    /// <param name="index">Its place among the outputs that are computed.</param>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public TensorBuffer<T> Output<T>(int index)
        where T : unmanaged => Numbers<T>(_outputs[index]);

    /// <summary>The texts of an input: row after row.</summary>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public ReadOnlyMemory<char>[] TextInput(int index) => Texts(_inputs[index]);

    /// <summary>The texts of an output: row after row.</summary>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public ReadOnlyMemory<char>[] TextOutput(int index) => Texts(_outputs[index]);

    /// <summary>Scores the first rows.</summary>
    /// <param name="count">How many, from 1 to <see cref="Capacity"/>.</param>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public void Run(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Capacity);
        if (_direct is not null && _direct.TryRun(this, count)) return;
        _runs.Choose(count, Capacity, CanBeCut).Run(count, _runs.Decision);
        _runs.Report();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _runs.Dispose();
        foreach (var slot in _inputs) slot.Dispose();
        foreach (var slot in _outputs) slot.Dispose();
    }

    /// <summary>Makes a run that is tied to rows.</summary>
    public BoundRun CreateRun(OnnxSession session, int first, int rows)
    {
        var run = session.CreateBoundRun();
        try
        {
            foreach (var input in _inputs) input.BindInput(run, first, rows);
            foreach (var output in _outputs) output.BindOutput(run, first, rows);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Makes the rows past those given copies of the last one: values that the model can take.</summary>
    public void Complete(int count, int rows)
    {
        if (rows == count && !_hasTexts) return;
        foreach (var input in _inputs) input.Complete(count, rows);
    }

    /// <summary>Takes over what a run wrote, as far as it is not in its place already.</summary>
    public void Collect(int count, int rows)
    {
        if (!_hasTexts) return;
        foreach (var output in _outputs) output.Collect(count, rows);
    }

    /// <summary>Runs of the first rows, any number of them.</summary>
    public RowRuns CreateRuns(OnnxSession session) =>
        new(session, Capacity, FixedRows, exact: !_hasTexts, rows => CreateRun(session, 0, rows));

    private static TensorBuffer<T> Numbers<T>(RowSlot slot)
        where T : unmanaged => (slot as RowSlot.INumbers<T>)?.Buffer
            ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold values of the type {typeof(T).Name}.");

    private static ReadOnlyMemory<char>[] Texts(RowSlot slot) => (slot as RowSlot.ITexts)?.Texts
        ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold texts.");
}

/// <summary>A block of float32 rows, which is filled from callers' memory and read into it: input by input and output by output.</summary>
internal sealed class NumberBlock : RowBlock
{
    private readonly Part[] _inputs;
    private readonly Part[] _outputs;

    /// <inheritdoc cref="RowBlock(OnnxSession, ModelSessions, RowLayout, int, DirectScoring)"/>
    public NumberBlock(OnnxSession session, ModelSessions? sessions, RowLayout layout, int capacity, DirectScoring? direct = null)
        : base(session, sessions, layout, capacity, direct)
    {
        _inputs = [.. layout.Inputs.Select((input, index) => new Part(Input<float>(index), input.Count))];
        _outputs = [.. layout.Outputs.Select((output, index) => new Part(Output<float>(index), output.Count))];
    }

    /// <summary>The first rows of an input.</summary>
    public Span<float> Input(int input, int rows) => _inputs[input].Rows(rows);

    /// <summary>The first rows of an output.</summary>
    public ReadOnlySpan<float> Output(int output, int rows) => _outputs[output].Rows(rows);

    /// <summary>Takes rows in.</summary>
    /// <param name="rows">All rows of a batch, input by input.</param>
    /// <param name="count">Their number.</param>
    /// <param name="first">The first one that is wanted.</param>
    /// <param name="part">How many are wanted.</param>
    public void Fill(ReadOnlySpan<float> rows, int count, int first, int part)
    {
        var start = 0;
        foreach (var input in _inputs)
        {
            rows.Slice(start + (first * input.Width), part * input.Width).CopyTo(input.Rows(part));
            start += count * input.Width;
        }
    }

    /// <summary>Gives the results of those rows out, in the same way.</summary>
    public void Take(Span<float> result, int count, int first, int part)
    {
        var start = 0;
        foreach (var output in _outputs)
        {
            output.Rows(part).CopyTo(result[(start + (first * output.Width))..]);
            start += count * output.Width;
        }
    }

    private readonly record struct Part(TensorBuffer<float> Buffer, int Width)
    {
        public Span<float> Rows(int rows) => Buffer.Span[..(rows * Width)];
    }
}

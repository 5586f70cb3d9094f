using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Buffers for some rows of a model's inputs and outputs, and the runs that are bound to them: rows are written in place, scored together and
/// read in place, so that after the first runs nothing is copied or allocated (texts excepted). One thread at a time; many blocks may exist
/// for one model.
/// </summary>
public sealed class RowBlock : IDisposable
{
    private readonly RowSlot[] _inputs;
    private readonly RowSlot[] _outputs;
    private readonly RowRuns _runs;
    private readonly bool _hasTexts;

    /// <summary>Makes the buffers.</summary>
    /// <param name="session">The model.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">The outputs to compute.</param>
    /// <param name="capacity">The most rows at once; rounded up to a power of two. Without effect where the model fixes the number.</param>
    /// <param name="fixedRows">The number of rows that the model always takes; null = any.</param>
    /// <param name="hasRowAxis">Whether the first axis of each tensor counts rows; where not, each tensor as a whole is one row.</param>
    internal RowBlock(
        OnnxSession session, IReadOnlyList<RowTensor> inputs, IReadOnlyList<RowTensor> outputs, int capacity, int? fixedRows = null, bool hasRowAxis = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Capacity = fixedRows ?? (int)BitOperations.RoundUpToPowerOf2((uint)capacity);
        _inputs = [.. inputs.Select(input => RowSlot.Create(session, input, Capacity, hasRowAxis))];
        _outputs = [.. outputs.Select(output => RowSlot.Create(session, output, Capacity, hasRowAxis))];
        _hasTexts = _inputs.Concat(_outputs).Any(slot => slot is RowSlot.ITexts);

        // Texts have native tensors of their own for each number of rows.
        _runs = new RowRuns(session, Capacity, fixedRows, exact: !_hasTexts, Bind);
    }

    /// <summary>The most rows at once.</summary>
    public int Capacity { get; }

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

        // The rows past those given are copies of the last one: values that the model can take.
        var rows = _runs.RowsFor(count);
        if (rows != count || _hasTexts)
            foreach (var input in _inputs) input.Complete(count, rows);
        _runs.Of(rows).Run();
        if (!_hasTexts) return;
        foreach (var output in _outputs) output.Collect(count, rows);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _runs.Dispose();
        foreach (var slot in _inputs) slot.Dispose();
        foreach (var slot in _outputs) slot.Dispose();
    }

    private static TensorBuffer<T> Numbers<T>(RowSlot slot)
        where T : unmanaged => (slot as RowSlot.INumbers<T>)?.Buffer
            ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold values of the type {typeof(T).Name}.");

    private static ReadOnlyMemory<char>[] Texts(RowSlot slot) => (slot as RowSlot.ITexts)?.Texts
        ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold texts.");

    private void Bind(BoundRun run, int rows)
    {
        foreach (var input in _inputs) input.BindInput(run, rows);
        foreach (var output in _outputs) output.BindOutput(run, rows);
    }
}

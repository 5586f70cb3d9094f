namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Buffers for some rows of a model's inputs and outputs, and the runs that are bound to them: rows are written in place, scored together and
/// read in place, so that after the first runs nothing is copied or allocated (texts excepted). One thread at a time; many blocks may exist
/// for one model.
/// </summary>
internal sealed class RowBlock : IDisposable
{
    private readonly ModelSessions? _sessions;
    private readonly RunPlan _plan;
    private readonly RowSlots _slots;
    private readonly RunDecision _decision = new();
    private readonly BlockRuns _own;
    private BlockRuns? _other;

    /// <summary>Makes the buffers.</summary>
    /// <param name="session">The model.</param>
    /// <param name="sessions">All its sessions, where cores may share the rows; null = the rows run on the one session.</param>
    /// <param name="tensors">The tensors that rows lie in.</param>
    /// <param name="capacity">The most rows at once; rounded up to a power of two. Without effect where the model fixes the number.</param>
    internal RowBlock(OnnxSession session, ModelSessions? sessions, RowTensors tensors, int capacity)
    {
        _sessions = sessions;
        _plan = sessions?.Plan ?? RunPlan.None;
        _slots = new RowSlots(session, tensors, capacity);
        _own = new BlockRuns(session, _slots, _plan.Workers(own: true));
    }

    /// <summary>The most rows at once.</summary>
    public int Capacity => _slots.Capacity;

    /// <summary>The values of an input: row after row.</summary>
    /// <typeparam name="T">Its element type.</typeparam>
    /// <param name="index">Its place among the inputs.</param>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public TensorBuffer<T> Input<T>(int index)
        where T : unmanaged => Numbers<T>(_slots.Inputs[index]);

    /// <summary>The values of an output: row after row.</summary>
    /// <typeparam name="T">Its element type.</typeparam>
    /// <param name="index">Its place among the outputs that are computed.</param>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public TensorBuffer<T> Output<T>(int index)
        where T : unmanaged => Numbers<T>(_slots.Outputs[index]);

    /// <summary>The texts of an input: row after row.</summary>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public ReadOnlyMemory<char>[] TextInput(int index) => Texts(_slots.Inputs[index]);

    /// <summary>The texts of an output: row after row.</summary>
    /// <exception cref="InvalidOperationException">It has another type.</exception>
    public ReadOnlyMemory<char>[] TextOutput(int index) => Texts(_slots.Outputs[index]);

    /// <summary>Scores the first rows.</summary>
    /// <param name="count">How many, from 1 to <see cref="Capacity"/>.</param>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public void Run(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Capacity);

        _plan.Decide(count, Capacity, _slots.CanBeCut, _decision);
        var runs = _decision.IsOwn ? _own : _other ??= new BlockRuns(_sessions!.Other, _slots, _plan.Workers(own: false));
        runs.Run(count, _decision);
        _plan.Report(_decision);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _own.Dispose();
        _other?.Dispose();
        _slots.Dispose();
    }

    private static TensorBuffer<T> Numbers<T>(RowSlot slot)
        where T : unmanaged => (slot as RowSlot.INumbers<T>)?.Buffer
            ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold values of the type {typeof(T).Name}.");

    private static ReadOnlyMemory<char>[] Texts(RowSlot slot) => (slot as RowSlot.ITexts)?.Texts
        ?? throw new InvalidOperationException($"The tensor {slot.Tensor} does not hold texts.");
}

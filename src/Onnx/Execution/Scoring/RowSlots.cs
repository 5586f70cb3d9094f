using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>The buffers of a block.</summary>
internal sealed class RowSlots : IDisposable
{
    /// <param name="session">The model.</param>
    /// <param name="tensors">The tensors that rows lie in.</param>
    /// <param name="capacity">The most rows at once; rounded up to a power of two. Without effect where the model fixes the number.</param>
    public RowSlots(OnnxSession session, RowTensors tensors, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        FixedRows = tensors.FixedRows;
        Capacity = FixedRows ?? (int)BitOperations.RoundUpToPowerOf2((uint)capacity);
        Inputs = [.. tensors.Inputs.Select(input => RowSlot.Create(session, input, Capacity, tensors.HasRowAxis))];
        Outputs = [.. tensors.Outputs.Select(output => RowSlot.Create(session, output, Capacity, tensors.HasRowAxis))];
        HasTexts = Inputs.Concat(Outputs).Any(slot => slot is RowSlot.ITexts);
    }

    public RowSlot[] Inputs { get; }

    public RowSlot[] Outputs { get; }

    /// <summary>The most rows at once.</summary>
    public int Capacity { get; }

    /// <summary>The number of rows that the model always takes; null = any.</summary>
    public int? FixedRows { get; }

    /// <summary>Texts have native tensors of their own for each number of rows.</summary>
    public bool HasTexts { get; }

    /// <summary>Whether rows from the middle of the buffers can be run.</summary>
    public bool CanBeCut => !HasTexts && FixedRows is null;

    /// <summary>Makes a run that is tied to rows.</summary>
    public BoundRun CreateRun(OnnxSession session, int first, int rows)
    {
        var run = session.CreateBoundRun();
        try
        {
            foreach (var input in Inputs) input.BindInput(run, first, rows);
            foreach (var output in Outputs) output.BindOutput(run, first, rows);
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
        if (rows == count && !HasTexts) return;
        foreach (var input in Inputs) input.Complete(count, rows);
    }

    /// <summary>Takes over what a run wrote, as far as it is not in its place already.</summary>
    public void Collect(int count, int rows)
    {
        if (!HasTexts) return;
        foreach (var output in Outputs) output.Collect(count, rows);
    }

    public void Dispose()
    {
        foreach (var slot in Inputs) slot.Dispose();
        foreach (var slot in Outputs) slot.Dispose();
    }
}

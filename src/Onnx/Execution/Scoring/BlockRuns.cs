using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>What runs the rows of a block on one session: all of them at once, or in chunks.</summary>
/// <param name="session">The session.</param>
/// <param name="slots">The block's buffers.</param>
/// <param name="workers">The most threads that share the rows.</param>
internal sealed class BlockRuns(OnnxSession session, RowSlots slots, int workers) : IDisposable
{
    private readonly RowRuns _whole = new(session, slots.Capacity, slots.FixedRows, exact: !slots.HasTexts, rows => slots.CreateRun(session, 0, rows));
    private readonly BlockDivision? _chunks = slots.CanBeCut ? new(slots.Capacity, workers, (first, rows) => slots.CreateRun(session, first, rows)) : null;

    /// <summary>Runs the first rows.</summary>
    public void Run(int count, RunDecision decision)
    {
        var chunk = _chunks is null ? count : BlockDivision.ChunkRows(count, decision);
        if (chunk < count)
        {
            slots.Complete(count, (count + chunk - 1) / chunk * chunk);
            _chunks!.Run(count, chunk, decision);
            return;
        }

        var start = decision.Pace is null ? 0 : Stopwatch.GetTimestamp();
        var rows = _whole.RowsFor(count);
        slots.Complete(count, rows);
        _whole.Of(rows).Run();
        slots.Collect(count, rows);
        decision.Pace?.Report(count, Stopwatch.GetElapsedTime(start));
    }

    public void Dispose()
    {
        _whole.Dispose();
        _chunks?.Dispose();
    }
}

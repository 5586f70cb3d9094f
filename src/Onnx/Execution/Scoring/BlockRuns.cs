using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>What runs the rows of a block on one session, where they lie: all of them at once, or in chunks.</summary>
/// <param name="session">The session.</param>
/// <param name="block">The rows.</param>
/// <param name="workers">The most threads that share them.</param>
internal sealed class BlockRuns(OnnxSession session, RowBlock block, int workers) : RowDivision(workers), IDisposable
{
    private readonly RowRuns _whole = block.CreateRuns(session);
    private BoundRun?[] _chunks = [];
    private int _chunk;

    // All rows at once, where they are not cut.
    private BoundRun? _all;

    /// <summary>Runs the first rows.</summary>
    public void Run(int count, RunDecision decision)
    {
        var chunk = block.CanBeCut ? ChunkRows(count, decision) : count;
        var cut = chunk < count;
        var rows = cut ? (count + chunk - 1) / chunk * chunk : _whole.RowsFor(count);
        block.Complete(count, rows);
        if (cut) Cut(chunk);
        _all = cut ? null : _whole.Of(rows);
        RunAll(count, cut ? chunk : count, decision);
        block.Collect(count, rows);
    }

    public void Dispose()
    {
        _whole.Dispose();
        foreach (var run in _chunks) run?.Dispose();
    }

    protected override void RunPart(int part, int rows, int worker) =>
        (_all ?? (_chunks[part] ??= block.CreateRun(session, part * _chunk, _chunk))).Run();

    // A power of two, so that chunks fill the block. Each thread gets one, if there are rows enough.
    private static int ChunkRows(int count, RunDecision decision) => decision.Sharing == 1
        ? decision.Most
        : Math.Min(decision.Most, 1 << BitOperations.Log2((uint)Math.Max(count / decision.Sharing, 1)));

    private void Cut(int chunk)
    {
        if (chunk == _chunk) return;
        foreach (var run in _chunks) run?.Dispose();
        (_chunk, _chunks) = (chunk, new BoundRun?[block.Capacity / chunk]);
    }
}

using System.Diagnostics;
using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>The rows of one call, cut into chunks that the caller's thread runs alone or together with others.</summary>
/// <param name="workers">The most threads at once.</param>
internal abstract class RowDivision(int workers) : DividedWork(workers)
{
    private int _count;
    private int _chunk;
    private RowPace? _pace;

    /// <summary>Runs rows.</summary>
    /// <param name="count">Their number.</param>
    /// <param name="chunk">The rows of each chunk; the last one may have fewer.</param>
    /// <param name="decision">How.</param>
    protected void RunAll(int count, int chunk, RunDecision decision)
    {
        (_count, _chunk, _pace) = (count, chunk, decision.Pace);
        var parts = (count + chunk - 1) / chunk;
        if (decision.Sharing > 1) DoAll(parts, decision.Sharing);
        else
            for (var part = 0; part < parts; part++) Do(part, 0);
    }

    /// <summary>Runs a chunk.</summary>
    /// <param name="part">Its number, from 0.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="worker">The number of the thread that does it; 0 is the caller's.</param>
    protected abstract void RunPart(int part, int rows, int worker);

    /// <inheritdoc/>
    protected sealed override void Do(int part, int worker)
    {
        var rows = Math.Min(_chunk, _count - (part * _chunk));
        var start = _pace is null ? 0 : Stopwatch.GetTimestamp();
        RunPart(part, rows, worker);
        _pace?.Report(rows, Stopwatch.GetElapsedTime(start));
    }
}

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
    private static int ChunkRows(int count, RunDecision decision) => decision.Sharing == 1 || decision.IsFixed
        ? decision.Most
        : Math.Min(decision.Most, 1 << BitOperations.Log2((uint)Math.Max(count / decision.Sharing, 1)));

    private void Cut(int chunk)
    {
        if (chunk == _chunk) return;
        foreach (var run in _chunks) run?.Dispose();
        (_chunk, _chunks) = (chunk, new BoundRun?[block.Capacity / chunk]);
    }
}

/// <summary>
/// What runs float32 rows that lie in a caller's memory on one session: there, where that pays, otherwise through blocks, one for each
/// thread.
/// </summary>
/// <param name="session">The session.</param>
/// <param name="layout">How rows lie in it.</param>
/// <param name="workers">The most threads at once.</param>
internal sealed unsafe class BatchRuns(OnnxSession session, RowLayout layout, int workers) : RowDivision(workers), IDisposable
{
    // One for each way of cutting a batch: a batch that changes its way finds what was bound before.
    private readonly CallerBinding _whole = new(session, layout);
    private readonly CallerBinding _shared = new(session, layout);
    private readonly NumberBlock?[] _blocks = new NumberBlock?[workers];

    // The batch under way.
    private float* _rows;
    private float* _result;
    private int _count;
    private int _chunk;
    private CallerBinding? _inPlace;

    /// <summary>Scores a batch.</summary>
    /// <param name="rows">The rows, input by input.</param>
    /// <param name="count">Their number.</param>
    /// <param name="result">Room for the results, output by output.</param>
    /// <param name="decision">How.</param>
    public void Score(ReadOnlySpan<float> rows, int count, Span<float> result, RunDecision decision)
    {
        var (most, sharing) = (decision.Most, decision.Sharing);
        _count = count;
        _chunk = layout.FixedRows ?? (sharing == 1 && count <= most ? count
            : decision.IsFixed ? Math.Min(most, layout.BatchSize) : Chunk(count, most, sharing));
        fixed (float* source = rows, target = result)
        {
            _rows = source;
            _result = target;
            var caller = sharing > 1 ? _shared : _whole;
            _inPlace = caller.TryBind(source, target, count, _chunk) ? caller : null;
            RunAll(count, _chunk, decision);
        }
    }

    public void Dispose()
    {
        foreach (var block in _blocks) block?.Dispose();
        _whole.Dispose();
        _shared.Dispose();
    }

    protected override void RunPart(int part, int rows, int worker)
    {
        if (_inPlace is { } bound)
        {
            bound.Run(part);
            return;
        }

        var first = part * _chunk;
        var block = Block(worker, _chunk);
        block.Fill(new(_rows, _count * layout.RowLength), _count, first, rows);
        block.Run(rows);
        block.Take(new(_result, _count * layout.ResultLength), _count, first, rows);
    }

    // Each worker gets the same number of chunks, if all go well, and they are of a size that a block has a run for.
    private int Chunk(int count, int most, int sharing)
    {
        var chunks = sharing * ((count + (sharing * (long)most) - 1) / (sharing * (long)most));
        return Math.Min(RowRuns.StepRows((int)((count + chunks - 1) / chunks)), layout.BatchSize);
    }

    private NumberBlock Block(int worker, int rows)
    {
        ref var block = ref _blocks[worker];
        if (block is not null && rows <= block.Capacity) return block;
        block?.Dispose();
        block = null;
        return block = new NumberBlock(session, null, layout, rows);
    }
}

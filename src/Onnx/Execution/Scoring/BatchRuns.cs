using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// Runs batches on one session, chunk by chunk: in the caller's memory where that pays, otherwise through buffers of its own; on the caller's thread
/// alone, or on several.
/// </summary>
/// <param name="session">The session.</param>
/// <param name="layout">How rows lie in it.</param>
/// <param name="workers">The most threads at once.</param>
internal sealed unsafe class BatchRuns(OnnxSession session, RowLayout layout, int workers) : DividedWork(workers), IDisposable
{
    // One for each way of cutting a batch: a batch that changes its way finds what was bound before.
    private readonly CallerBinding _whole = new(session, layout);
    private readonly CallerBinding _shared = new(session, layout);
    private readonly ScoringBlock?[] _blocks = new ScoringBlock?[workers];

    // The batch under way.
    private float* _rows;
    private float* _result;
    private int _count;
    private int _chunk;
    private CallerBinding? _inPlace;
    private RowPace? _pace;

    /// <summary>Scores a batch.</summary>
    /// <param name="rows">The rows, input by input.</param>
    /// <param name="count">Their number.</param>
    /// <param name="result">Room for the results, output by output.</param>
    /// <param name="decision">How.</param>
    public void Score(ReadOnlySpan<float> rows, int count, Span<float> result, RunDecision decision)
    {
        var (most, sharing) = (decision.Most, decision.Sharing);
        _chunk = sharing == 1 && count <= most && layout.FixedRows is null ? count : Chunk(count, most, sharing);
        (_count, _pace) = (count, decision.Pace);
        fixed (float* source = rows, target = result)
        {
            _rows = source;
            _result = target;
            var caller = sharing > 1 ? _shared : _whole;
            _inPlace = caller.TryBind(source, target, count, _chunk) ? caller : null;
            var parts = (count + _chunk - 1) / _chunk;
            if (sharing > 1) DoAll(parts, sharing);
            else
                for (var part = 0; part < parts; part++) Do(part, 0);
        }
    }

    public void Dispose()
    {
        foreach (var block in _blocks) block?.Dispose();
        _whole.Dispose();
        _shared.Dispose();
    }

    protected override void Do(int part, int worker)
    {
        var first = part * _chunk;
        var rows = Math.Min(_chunk, _count - first);
        var start = _pace is null ? 0 : Stopwatch.GetTimestamp();
        if (_inPlace is { } bound) bound.Run(part);
        else
        {
            var block = Block(worker, _chunk);
            block.Fill(new(_rows, _count * layout.RowLength), _count, first, rows);
            block.Run(rows);
            block.Take(new(_result, _count * layout.ResultLength), _count, first, rows);
        }

        _pace?.Report(rows, Stopwatch.GetElapsedTime(start));
    }

    // Each worker gets the same number of chunks, if all go well, and they are of a size that a block has a run for.
    private int Chunk(int count, int most, int sharing)
    {
        var chunks = sharing * ((count + (sharing * (long)most) - 1) / (sharing * (long)most));
        return layout.FixedRows ?? Math.Min(RowRuns.StepRows((int)((count + chunks - 1) / chunks)), layout.BatchSize);
    }

    private ScoringBlock Block(int worker, int rows)
    {
        ref var block = ref _blocks[worker];
        if (block is not null && rows <= block.Capacity) return block;
        block?.Dispose();
        block = null;
        return block = new ScoringBlock(layout, layout.CreateBlock(session, rows));
    }
}

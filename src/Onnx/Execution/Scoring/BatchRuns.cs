using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

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
        _chunk = sharing == 1 && count <= most && layout.FixedRows is null ? count : Chunk(count, most, sharing);
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
        return layout.FixedRows ?? Math.Min(RowRuns.StepRows((int)((count + chunks - 1) / chunks)), layout.BatchSize);
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

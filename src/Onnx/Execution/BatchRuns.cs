using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Runs batches on one session: in the caller's memory where that pays, otherwise through buffers of its own.</summary>
internal sealed unsafe class BatchRuns(OnnxSession session, RowLayout layout) : IDisposable
{
    private readonly CallerBinding _caller = new(session, layout);
    private ScoringBlock? _block;

    public void Score(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        fixed (float* source = rows, target = result)
        {
            if (_caller.TryRun(source, target, count)) return;
        }

        var block = Block(Math.Min(count, layout.BatchSize));
        for (var first = 0; first < count; first += layout.BatchSize)
        {
            var part = Math.Min(layout.BatchSize, count - first);
            block.Fill(rows, count, first, part);
            block.Run(part);
            block.Take(result, count, first, part);
        }
    }

    /// <summary>Buffers for at least so many rows.</summary>
    public ScoringBlock Block(int rows)
    {
        if (_block is { } block && rows <= block.Capacity) return block;
        _block?.Dispose();
        _block = null;
        return _block = new ScoringBlock(session, layout, layout.FixedRows ?? (int)BitOperations.RoundUpToPowerOf2((uint)rows));
    }

    public void Dispose()
    {
        _block?.Dispose();
        _caller.Dispose();
    }
}

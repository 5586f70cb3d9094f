using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>All that one call at a time needs: buffers for a row, buffers for a batch once there is one, and the runs bound to them.</summary>
internal sealed unsafe class ScoringLane : IDisposable
{
    private readonly OnnxSession _session;
    private readonly RowLayout _layout;
    private readonly ScoringBlock _single;
    private readonly CallerBinding _caller;
    private ScoringBlock? _batch;

    public ScoringLane(OnnxSession session, RowLayout layout)
    {
        _session = session;
        _layout = layout;
        _single = new ScoringBlock(session, layout, layout.FixedRows ?? 1);
        _caller = new CallerBinding(session, layout);
    }

    /// <summary>Counts the lane's users, so that one who has given it back is known as such.</summary>
    public int Lease { get; set; }

    public void Score(ReadOnlySpan<float> row, Span<float> result)
    {
        Fill(_single, row, 1, 0, 1);
        _single.Run(1);
        Take(_single, result, 1, 0, 1);
    }

    public void ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        fixed (float* source = rows, target = result)
        {
            if (_caller.TryRun(source, target, count)) return;
        }

        var block = Block(Math.Min(count, _layout.BatchSize));
        for (var first = 0; first < count; first += _layout.BatchSize)
        {
            var part = Math.Min(_layout.BatchSize, count - first);
            Fill(block, rows, count, first, part);
            block.Run(part);
            Take(block, result, count, first, part);
        }
    }

    /// <summary>The buffers for so many rows.</summary>
    public ScoringBlock Block(int rows)
    {
        if (rows <= _single.Capacity) return _single;
        if (_batch is { } batch && rows <= batch.Capacity) return batch;
        _batch?.Dispose();
        _batch = null;
        return _batch = new ScoringBlock(_session, _layout, (int)BitOperations.RoundUpToPowerOf2((uint)rows));
    }

    public void Dispose()
    {
        _single.Dispose();
        _batch?.Dispose();
        _caller.Dispose();
    }

    // `count` rows lie input by input; rows `first` to `first + part` go into the block.
    private void Fill(ScoringBlock block, ReadOnlySpan<float> rows, int count, int first, int part)
    {
        var start = 0;
        for (var input = 0; input < _layout.InputWidths.Length; input++)
        {
            var width = _layout.InputWidths[input];
            rows.Slice(start + (first * width), part * width).CopyTo(block.Input(input, part));
            start += count * width;
        }
    }

    private void Take(ScoringBlock block, Span<float> result, int count, int first, int part)
    {
        var start = 0;
        for (var output = 0; output < _layout.OutputWidths.Length; output++)
        {
            var width = _layout.OutputWidths[output];
            block.Output(output, part).CopyTo(result[(start + (first * width))..]);
            start += count * width;
        }
    }
}

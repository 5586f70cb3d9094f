using System.Numerics;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// All that one call at a time needs: buffers for a row, buffers for a batch once there is one, and the runs bound to them.
/// </summary>
internal sealed class ScoringLane : IDisposable
{
    private readonly ModelSessions _sessions;
    private readonly RowLayout _layout;
    private readonly NumberBlock _single;
    private readonly ChosenRuns<BatchRuns> _batch;
    private readonly DirectScoring? _scoring;
    private readonly DirectRuns? _direct;
    private NumberBlock? _inPlace;

    public ScoringLane(RowModel model)
    {
        var (sessions, layout) = (model.Sessions, model.Layout);
        var session = sessions.Next();
        _sessions = sessions;
        _layout = layout;
        _scoring = model.Direct;
        _direct = _scoring?.CreateRuns();
        _single = new NumberBlock(session, sessions, layout, layout.FixedRows ?? 1, _scoring);
        _batch = new(session, sessions, (where, workers) => new BatchRuns(where, layout, workers));
    }

    /// <summary>Counts the lane's users, so that one who has given it back is known as such.</summary>
    public int Lease { get; set; }

    public void Score(ReadOnlySpan<float> row, Span<float> result)
    {
        if (_direct is not null && _direct.TryRun(row, 1, result)) return;
        _single.Fill(row, 1, 0, 1);
        _single.Run(1);
        _single.Take(result, 1, 0, 1);
    }

    public void ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        if (_direct is not null && _direct.TryRun(rows, count, result)) return;
        _batch.Choose(count, _layout.BatchSize, canBeCut: true).Score(rows, count, result, _batch.Decision);
        _batch.Report();
    }

    /// <summary>The buffers for so many rows.</summary>
    public NumberBlock Block(int rows)
    {
        if (rows <= _single.Capacity) return _single;
        if (_inPlace is { } block && rows <= block.Capacity) return block;
        _inPlace?.Dispose();
        _inPlace = null;
        return _inPlace = new NumberBlock(_sessions.First, _sessions, _layout, rows, _scoring);
    }

    public void Dispose()
    {
        _single.Dispose();
        _batch.Dispose();
        _inPlace?.Dispose();
    }
}

/// <summary>
/// Lanes that are free, one or none in each of a fixed number of places. A thread looks first where its processor's last lane was put: one
/// exchange, on memory that no other processor touches, and no lock or allocation.
/// </summary>
internal sealed class ScoringLanePool(Func<ScoringLane> create) : IDisposable
{
    private readonly Place[] _places = new Place[BitOperations.RoundUpToPowerOf2((uint)Math.Max(2 * Environment.ProcessorCount, 16))];
    private int _disposed;

    public ScoringLane Rent()
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, typeof(OnnxScorer));
        var mask = _places.Length - 1;
        var home = Thread.GetCurrentProcessorId();
        for (var i = 0; i <= mask; i++)
        {
            ref var place = ref _places[(home + i) & mask].Lane;
            if (place is not null && Interlocked.Exchange(ref place, null) is { } lane) return lane;
        }

        return create();
    }

    public void Return(ScoringLane lane)
    {
        lane.Lease++;
        var mask = _places.Length - 1;
        var home = Thread.GetCurrentProcessorId();
        for (var i = 0; i <= mask; i++)
        {
            ref var place = ref _places[(home + i) & mask].Lane;
            if (place is not null || Interlocked.CompareExchange(ref place, lane, null) is not null) continue;

            // Whoever disposed the pool meanwhile may have looked here before the lane was put down.
            if (Volatile.Read(ref _disposed) != 0) Clear();
            return;
        }

        lane.Dispose();
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) Clear();
    }

    /// <summary>Lets the lanes go that are free: those that come are made anew.</summary>
    public void Clear()
    {
        foreach (ref var place in _places.AsSpan()) Interlocked.Exchange(ref place.Lane, null)?.Dispose();
    }

    // A cache line of its own for each, so that processors do not take it from each other.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Place
    {
        [FieldOffset(0)]
        public ScoringLane? Lane;
    }
}

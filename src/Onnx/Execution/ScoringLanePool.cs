using System.Collections.Concurrent;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Lanes that are free. The last one returned is handed out first, through a single exchange; the others wait in a stack.</summary>
internal sealed class ScoringLanePool(Func<ScoringLane> create) : IDisposable
{
    private readonly ConcurrentStack<ScoringLane> _others = new();
    private ScoringLane? _last;
    private volatile bool _disposed;

    public ScoringLane Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(Scorer));
        return Interlocked.Exchange(ref _last, null) ?? (_others.TryPop(out var lane) ? lane : create());
    }

    public void Return(ScoringLane lane)
    {
        if (_disposed) lane.Dispose();
        else if (Interlocked.CompareExchange(ref _last, lane, null) is not null) _others.Push(lane);
    }

    public void Dispose()
    {
        _disposed = true;
        Interlocked.Exchange(ref _last, null)?.Dispose();
        while (_others.TryPop(out var lane)) lane.Dispose();
    }
}

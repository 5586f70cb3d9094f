using System.Numerics;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

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
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, typeof(Scorer));
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

    private void Clear()
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

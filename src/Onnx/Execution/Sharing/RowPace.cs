using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>
/// How long rows take on one thread, as far as is known: one by itself, and one of many, as in the quickest run so far. What disturbs a run
/// only ever makes it slower.
/// </summary>
/// <remarks>Threads may report at once and overwrite each other: then something is learned a run later.</remarks>
internal sealed class RowPace
{
    /// <summary>The rows below which the matrix kernels are not filled, and large weights are read too often.</summary>
    public const int FewestRows = 32;

    // What a chunk's operators leave for each other should still be in the core's own cache, which holds what a core makes in about this
    // time; and a run's fixed costs, some microseconds, should not count.
    private const double ChunkMicroseconds = 1000;

    // Longer than any row takes, and yet 2^31 of them make a time span.
    private const double Unknown = 1e8;

    // A model's first runs are slow: it plans its memory, and nothing is in the caches.
    private const int RunsToKnow = 3;
    private static readonly TimeSpan LongRun = TimeSpan.FromMilliseconds(20);

    private int _runs;
    private double _alone = Unknown;
    private double _amongMany = Unknown;

    /// <summary>Whether there were runs enough to go by.</summary>
    public bool IsKnown => Volatile.Read(ref _runs) >= RunsToKnow;

    /// <summary>The rows that are best run at once on one core: a power of two, so that it stays the same when little is learned.</summary>
    public int ChunkRows => 1 << BitOperations.Log2((uint)Math.Max(FewestRows, ChunkMicroseconds / Volatile.Read(ref _amongMany)));

    /// <summary>
    /// About the time that so many rows take on one thread. A few take as long as one, where it is the weights that take the time.
    /// </summary>
    public TimeSpan Predict(int rows)
    {
        var together = rows * Volatile.Read(ref _amongMany);
        var alone = Volatile.Read(ref _alone);
        return TimeSpan.FromMicroseconds(alone < Unknown ? Math.Max(together, alone) : together);
    }

    /// <summary>A run of so many rows took so long on one thread.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="time">The time.</param>
    /// <param name="isBest">Whether it is the best of several.</param>
    public void Report(int rows, TimeSpan time, bool isBest = false)
    {
        if (!IsKnown) Interlocked.Add(ref _runs, isBest || time >= LongRun ? RunsToKnow : 1);
        var microseconds = Math.Max(time.TotalMicroseconds / rows, 0.001);
        if (rows == 1 && microseconds < Volatile.Read(ref _alone)) Volatile.Write(ref _alone, microseconds);
        if (microseconds < Volatile.Read(ref _amongMany)) Volatile.Write(ref _amongMany, microseconds);
    }
}

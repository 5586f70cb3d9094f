using System.Numerics;

namespace MlNetBatchNorm.Cli.Benchmarks;

/// <summary>Counts durations in buckets that are at most 1/16 wide, without allocating; one thread writes.</summary>
internal sealed class LatencyHistogram
{
    private const int Steps = 16;

    private readonly long[] _counts = new long[64 * Steps];

    /// <summary>The durations counted.</summary>
    public long Count { get; private set; }

    /// <summary>The longest, in nanoseconds.</summary>
    public long Longest { get; private set; }

    /// <summary>Counts one duration.</summary>
    public void Add(long nanoseconds)
    {
        _counts[Bucket(nanoseconds)]++;
        Count++;
        Longest = Math.Max(Longest, nanoseconds);
    }

    /// <summary>Adds what another one has counted.</summary>
    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
        Longest = Math.Max(Longest, other.Longest);
    }

    /// <summary>The duration in nanoseconds that a share of all does not exceed, rounded up to the end of its bucket.</summary>
    public long Percentile(double share)
    {
        var remaining = (long)Math.Ceiling(share * Count);
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            remaining -= _counts[bucket];
            if (remaining <= 0) return Math.Min(Longest, UpperEnd(bucket));
        }

        return Longest;
    }

    // Below 16 ns a bucket for each; above, 16 for each power of two.
    private static int Bucket(long nanoseconds)
    {
        if (nanoseconds < Steps) return (int)Math.Max(0, nanoseconds);
        var power = BitOperations.Log2((ulong)nanoseconds);
        return ((power - 3) * Steps) + (int)((nanoseconds >> (power - 4)) - Steps);
    }

    private static long UpperEnd(int bucket) => bucket < Steps
        ? bucket
        : ((long)((bucket % Steps) + Steps + 1) << ((bucket / Steps) - 1)) - 1;
}

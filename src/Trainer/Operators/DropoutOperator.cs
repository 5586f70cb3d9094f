using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// Dropout in training: y = x·k, and k, which is 0 for a share of the values and 1/(1 − rate) for the others. Each call draws others; one
/// with a seed that is one higher draws what the next call would have drawn.
/// </summary>
internal sealed class DropoutOperator() : OwnOperator(Name, 1, 2)
{
    public new const string Name = "Dropout";

    /// <summary>The attributes of a node.</summary>
    /// <param name="rate">The share of the values that become 0.</param>
    /// <param name="seed">What the first call draws from.</param>
    /// <param name="sizes">The sizes of a row.</param>
    /// <param name="groups">The groups that the values lie in, <c>[G, N, C/G]</c>; 1 = row by row.</param>
    public static NodeArgument[] Attributes(float rate, long seed, IReadOnlyList<long> sizes, int groups) =>
        [("rate", rate), ("seed", new[] { seed }), ("sizes", sizes.ToArray()), ("groups", groups)];

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new DropoutKernel(
        attributes.Float("rate"), attributes.Integers("seed")[0], attributes.Integers("sizes"), attributes.Integer("groups"));
}

/// <summary>The dropout of one node.</summary>
internal sealed unsafe class DropoutKernel(float rate, long seed, long[] sizes, int groups) : OwnKernel
{
    private readonly Vector128<uint> _dropped = Vector128.Create((uint)(rate * (double)uint.MaxValue));
    private readonly Vector128<float> _scale = Vector128.Create(1 / (1 - rate));
    private readonly long _row = sizes.Aggregate(1L, (product, size) => product * size);
    private long _calls = -1;

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = x.Count / _row;
        var from = (float*)x.Numbers;
        var y = context.OutputOfRows(0, rows, sizes, groups);
        var kept = context.OutputOfRows(1, rows, sizes, groups);
        var key = Key(seed + Interlocked.Increment(ref _calls));
        var at = Vector128.Create(0u, 1, 2, 3);
        var four = Vector128.Create(4u);
        long done = 0;
        for (; done + Vector128<float>.Count <= x.Count; done += Vector128<float>.Count, at += four)
        {
            var share = Share(at, key);
            share.Store(kept + done);
            (share * Vector128.Load(from + done)).Store(y + done);
        }

        var last = Share(at, key);
        for (var lane = 0; done < x.Count; done++, lane++) y[done] = from[done] * (kept[done] = last[lane]);
    }

    // The hash of a value's number, with the multipliers that Wellons found to mix best (hash-prospector, 2018).
    private Vector128<float> Share(Vector128<uint> at, ulong key)
    {
        var hash = at ^ Vector128.Create((uint)key);
        hash = (hash ^ (hash >>> 16)) * 0x7FEB352Du;
        hash += Vector128.Create((uint)(key >> 32));
        hash = (hash ^ (hash >>> 15)) * 0x846CA68Bu;
        hash ^= hash >>> 16;
        return Vector128.AndNot(_scale, Vector128.LessThan(hash, _dropped).AsSingle());
    }

    // Splitmix64 (Steele, Lea and Flood 2014, OOPSLA): neighbouring seeds give keys that have nothing in common.
    private static ulong Key(long seed)
    {
        var z = unchecked((ulong)seed * 0x9E3779B97F4A7C15);
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
        return z ^ (z >> 31);
    }
}

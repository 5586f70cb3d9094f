using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>For each of several lists the places that it takes, ascending, and how much of each.</summary>
/// <param name="room">Where all of it lies, of <see cref="Size"/>.</param>
/// <param name="lists">The lists.</param>
/// <param name="most">The most places of all lists together.</param>
internal readonly unsafe struct Taken(float* room, int lists, int most)
{
    /// <summary>Where each list begins, and where the last one ends.</summary>
    public int* Starts { get; } = (int*)room;

    /// <summary>The places.</summary>
    public int* Places { get; } = (int*)room + lists + 1;

    /// <summary>How much of each.</summary>
    public float* Shares { get; } = room + lists + 1 + most;

    /// <summary>The numbers that it takes to keep them.</summary>
    public static long Size(int lists, int most) => lists + 1 + (2L * most);

    /// <summary>Writes down for each place which lists take it.</summary>
    /// <param name="lists">The lists.</param>
    /// <param name="to">Where to.</param>
    /// <param name="places">How many places there are.</param>
    public void Turn(int lists, Taken to, int places)
    {
        new Span<int>(to.Starts, places + 1).Clear();
        for (var i = 0; i < Starts[lists]; i++) to.Starts[Places[i] + 1]++;
        for (var place = 0; place < places; place++) to.Starts[place + 1] += to.Starts[place];
        for (var list = 0; list < lists; list++)
        {
            for (var i = Starts[list]; i < Starts[list + 1]; i++)
            {
                var next = to.Starts[Places[i]]++;
                (to.Places[next], to.Shares[next]) = (list, Shares[i]);
            }
        }

        // Each start has moved to where the next list begins.
        for (var place = places; place > 0; place--) to.Starts[place] = to.Starts[place - 1];
        to.Starts[0] = 0;
    }
}

/// <summary>Sums of rows of a matrix, each of the rows that a list takes: what both directions are made of. Divided by columns.</summary>
internal unsafe struct EncodedWork
{
    // As many columns as eight vectors of the widest kind hold.
    private const int PartWidth = 128;
    private const int Together = 8;

    // Below, handing out the parts takes longer than doing them.
    private const long LeastShared = 1 << 15;

    public int Columns, Lists, FromRows, Numbers, Features;
    public float Reach;
    public Taken List;
    public float* From, To, Room;
    public int* Bins;

    /// <summary>Does all parts.</summary>
    /// <param name="context">The node.</param>
    /// <param name="work">The work.</param>
    /// <param name="part">Does one.</param>
    public static void Run(KernelContext context, EncodedWork* work, delegate* unmanaged<void*, nuint, void> part)
    {
        var parts = (work->Columns + PartWidth - 1) / PartWidth;
        if (parts > 1 && (long)work->Lists * work->Columns >= LeastShared) context.InParallel(part, parts, work);
        else
            for (var i = 0; i < parts; i++) part(work, (nuint)i);
    }

    /// <summary>The columns of a part.</summary>
    public readonly (int First, int Count) Part(int index) =>
        (index * PartWidth, Math.Min(PartWidth, Columns - (index * PartWidth)));

    /// <summary>Copies some columns of all rows side by side, since far apart they would push each other out of the cache.</summary>
    public readonly float* CopyRows(int first, int count)
    {
        var room = Room + ((long)first * FromRows);
        for (var row = 0; row < FromRows; row++)
            new ReadOnlySpan<float>(From + ((long)row * Columns) + first, count).CopyTo(new Span<float>(room + ((long)row * count), count));
        return room;
    }

    /// <summary>Makes some columns of the result.</summary>
    /// <param name="rows">These columns of the rows that are taken.</param>
    /// <param name="first">The first column.</param>
    /// <param name="count">How many.</param>
    public readonly void Combine(float* rows, int first, int count)
    {
        var done = 0;
        if (Vector512.IsHardwareAccelerated) done = Combine<Lanes512, Vector512<float>>(rows, first, done, count);
        if (Vector256.IsHardwareAccelerated) done = Combine<Lanes256, Vector256<float>>(rows, first, done, count);
        done = Combine<Lanes128, Vector128<float>>(rows, first, done, count);
        Combine<Lanes1, float>(rows, first, done, count);
    }

    // Each column has its own lane, so its sums are the same whatever the width.
    private readonly int Combine<TLanes, T>(float* rows, int first, int done, int count)
        where TLanes : ILanes<T>
        where T : struct
    {
        for (; done + (Together * TLanes.Count) <= count; done += Together * TLanes.Count)
            for (var list = 0; list < Lists; list++) Eight<TLanes, T>(rows + done, To + ((long)list * Columns) + first + done, list, count);
        for (; done + TLanes.Count <= count; done += TLanes.Count)
            for (var list = 0; list < Lists; list++) One<TLanes, T>(rows + done, To + ((long)list * Columns) + first + done, list, count);
        return done;
    }

    private readonly void Eight<TLanes, T>(float* rows, float* to, int list, int stride)
        where TLanes : ILanes<T>
        where T : struct
    {
        T a, b, c, d, e, f, g, h;
        a = b = c = d = e = f = g = h = TLanes.All(0);
        var (width, end) = (TLanes.Count, List.Starts[list + 1]);
        for (var i = List.Starts[list]; i < end; i++)
        {
            var share = TLanes.All(List.Shares[i]);
            var from = rows + ((long)List.Places[i] * stride);
            a = TLanes.MultiplyAdd(share, TLanes.Load(from), a);
            b = TLanes.MultiplyAdd(share, TLanes.Load(from + width), b);
            c = TLanes.MultiplyAdd(share, TLanes.Load(from + (2 * width)), c);
            d = TLanes.MultiplyAdd(share, TLanes.Load(from + (3 * width)), d);
            e = TLanes.MultiplyAdd(share, TLanes.Load(from + (4 * width)), e);
            f = TLanes.MultiplyAdd(share, TLanes.Load(from + (5 * width)), f);
            g = TLanes.MultiplyAdd(share, TLanes.Load(from + (6 * width)), g);
            h = TLanes.MultiplyAdd(share, TLanes.Load(from + (7 * width)), h);
        }

        TLanes.Store(a, to);
        TLanes.Store(b, to + width);
        TLanes.Store(c, to + (2 * width));
        TLanes.Store(d, to + (3 * width));
        TLanes.Store(e, to + (4 * width));
        TLanes.Store(f, to + (5 * width));
        TLanes.Store(g, to + (6 * width));
        TLanes.Store(h, to + (7 * width));
    }

    private readonly void One<TLanes, T>(float* rows, float* to, int list, int stride)
        where TLanes : ILanes<T>
        where T : struct
    {
        var sum = TLanes.All(0);
        var end = List.Starts[list + 1];
        for (var i = List.Starts[list]; i < end; i++)
            sum = TLanes.MultiplyAdd(TLanes.All(List.Shares[i]), TLanes.Load(rows + ((long)List.Places[i] * stride)), sum);
        TLanes.Store(sum, to);
    }
}

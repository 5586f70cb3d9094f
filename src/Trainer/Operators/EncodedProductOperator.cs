using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>How the values of an encoded row lie: numbers, then the bins of each feature, then what is mostly 0.</summary>
/// <param name="Width">The values of a row.</param>
/// <param name="Numbers">The numbers.</param>
/// <param name="Reach">What the entry of a bin is that lies wholly below the number.</param>
/// <param name="Bins">The bins of each feature that has some.</param>
internal sealed record EncodedForm(int Width, int Numbers, float Reach, params IReadOnlyList<long> Bins)
{
    // Wider ones are those of texts, whose weights are better left where they lie.
    private const int Widest = 1 << 13;

    // What it costs to take one value, in values of a plain product.
    private const int CostOfTaking = 2;

    /// <summary>The form of an encoding; null where a plain product is as fast.</summary>
    public static EncodedForm? Of(EncodedNumbers encoding)
    {
        long[] bins = [.. encoding.BinFeatures.GroupBy(feature => feature).Select(feature => (long)feature.Count())];
        var form = new EncodedForm(encoding.Width, encoding.Numbers.Length, encoding.BinReach, bins);
        var usual = form.MostTaken - ((encoding.Flags.Length + encoding.Categories.Length) / 2);
        return encoding.Width <= Widest && CostOfTaking * usual <= encoding.Width ? form : null;
    }

    /// <summary>The most values that a row takes: its numbers, two of each feature with bins, and all others.</summary>
    public int MostTaken => Width - (int)Bins.Sum() + (2 * Bins.Count);

    /// <summary>The form as attributes of a node.</summary>
    /// <param name="columns">The columns of the weights.</param>
    public NodeArgument[] Attributes(long columns) =>
        [("columns", columns), ("width", Width), ("numbers", Numbers), ("reach", Reach), ("bins", Bins.Count > 0 ? Bins.ToArray() : [0])];

    /// <summary>Reads the attributes of a node.</summary>
    public static EncodedForm Of(in KernelAttributes attributes) => new(
        attributes.Integer("width"),
        attributes.Integer("numbers"),
        attributes.Float("reach"),
        [.. attributes.Integers("bins").Where(bins => bins > 0)]);
}

/// <summary>
/// The product of rows as <see cref="EncodedNumbers"/> makes them, <c>[N, D]</c>, and weights, <c>[D, K]</c>. The bins below a number count
/// in full, so what they add is one of as many sums of weights as there are bins. With these sums in place of the bins' weights a row takes
/// two of them for each feature, in proportion, where a plain product takes all. The second output says what each row takes, for
/// <see cref="EncodedGradientOperator"/>; the third is room for the work.
/// </summary>
internal sealed class EncodedProductOperator() : OwnOperator(Name, 2, 3)
{
    public new const string Name = "EncodedProduct";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new EncodedProductKernel(EncodedForm.Of(attributes), attributes.Integer("columns"));
}

/// <summary>
/// The gradient of <see cref="EncodedProductOperator"/> with respect to the weights, <c>[D, K]</c>: that of the sums of weights first, as a
/// product of the same kind, then of the weights that they are made of. Inputs: what each row takes, and the gradient with respect to the
/// product, <c>[N, K]</c>. The second output is room for the work.
/// </summary>
internal sealed class EncodedGradientOperator() : OwnOperator(Name, 2, 2)
{
    public new const string Name = "EncodedGradient";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new EncodedGradientKernel(EncodedForm.Of(attributes), attributes.Integer("columns"));
}

/// <summary>The product of one node.</summary>
internal sealed unsafe class EncodedProductKernel(EncodedForm form, int columns) : OwnKernel
{
    private readonly int[] _bins = [.. form.Bins.Select(bins => (int)bins)];

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = (int)(x.Count / form.Width);
        var most = rows * form.MostTaken;
        var taken = new Taken(context.Output(1, Taken.Size(rows, most)), rows, most);
        Take((float*)x.Numbers, rows, taken);
        fixed (int* bins = _bins)
        {
            var work = new EncodedWork
            {
                Columns = columns,
                List = taken,
                Lists = rows,
                From = context.Numbers(1),
                FromRows = form.Width,
                Numbers = form.Numbers,
                Bins = bins,
                Features = _bins.Length,
                Reach = form.Reach,
                To = context.Output(0, rows, columns),
                Room = context.Output(2, form.Width, columns),
            };
            EncodedWork.Run(context, &work, &SharedPart);
        }
    }

    // What the rows take: the share of a bin that lies below the number stands between the sum up to that bin and the sum with it.
    private void Take(float* x, int rows, Taken taken)
    {
        var next = 0;
        for (var row = 0; row < rows; row++, x += form.Width)
        {
            taken.Starts[row] = next;
            for (var i = 0; i < form.Numbers; i++) Add(i, x[i]);
            var first = form.Numbers;
            foreach (var bins in _bins)
            {
                var below = Below(x + first, bins);
                var share = below < bins ? x[first + below] / form.Reach : 0;
                if (below > 0) Add(first + below - 1, 1 - share);
                if (share != 0) Add(first + below, share);
                first += bins;
            }

            for (var i = first; i < form.Width; i++)
                if (x[i] != 0) Add(i, x[i]);
        }

        taken.Starts[rows] = next;

        void Add(int place, float share) => (taken.Places[next], taken.Shares[next++]) = (place, share);
    }

    // How many of the entries are full: they stand in front of the others.
    private int Below(float* entries, int count)
    {
        var (low, high) = (0, count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle] >= form.Reach) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((EncodedWork*)work, (int)index);

    private static void Part(EncodedWork* work, int index)
    {
        var (first, count) = work->Part(index);
        var room = work->CopyRows(first, count);
        var at = room + ((long)work->Numbers * count);
        for (var feature = 0; feature < work->Features; feature++)
        {
            for (var bin = 0; bin < work->Bins[feature]; bin++, at += count)
            {
                var sum = new Span<float>(at, count);
                if (bin == 0) TensorPrimitives.Multiply(sum, work->Reach, sum);
                else TensorPrimitives.MultiplyAdd(sum, work->Reach, new ReadOnlySpan<float>(at - count, count), sum);
            }
        }

        work->Combine(room, first, count);
    }
}

/// <summary>The gradient of one node.</summary>
internal sealed unsafe class EncodedGradientKernel(EncodedForm form, int columns) : OwnKernel
{
    private readonly int[] _bins = [.. form.Bins.Select(bins => (int)bins)];

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var (given, dy) = (context.Input(0), context.Input(1));
        var rows = (int)(dy.Count / columns);
        var taken = new Taken((float*)given.Numbers, rows, rows * form.MostTaken);
        var count = taken.Starts[rows];
        var size = Taken.Size(form.Width, count);
        var room = context.Output(1, size + ((long)rows * columns));
        var byValue = new Taken(room, form.Width, count);
        taken.Turn(rows, byValue, form.Width);
        fixed (int* bins = _bins)
        {
            var work = new EncodedWork
            {
                Columns = columns,
                List = byValue,
                Lists = form.Width,
                From = (float*)dy.Numbers,
                FromRows = rows,
                Numbers = form.Numbers,
                Bins = bins,
                Features = _bins.Length,
                Reach = form.Reach,
                To = context.Output(0, form.Width, columns),
                Room = room + size,
            };
            EncodedWork.Run(context, &work, &SharedPart);
        }
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((EncodedWork*)work, (int)index);

    private static void Part(EncodedWork* work, int index)
    {
        var (first, count) = work->Part(index);
        work->Combine(work->CopyRows(first, count), first, count);

        // A bin's weights are in its own sum and in all behind it.
        var at = work->To + ((long)work->Numbers * work->Columns) + first;
        for (var feature = 0; feature < work->Features; feature++)
        {
            var bins = work->Bins[feature];
            for (var bin = bins - 1; bin >= 0; bin--)
            {
                var gradient = new Span<float>(at + ((long)bin * work->Columns), count);
                if (bin == bins - 1) TensorPrimitives.Multiply(gradient, work->Reach, gradient);
                else TensorPrimitives.MultiplyAdd(
                    gradient, work->Reach, new ReadOnlySpan<float>(at + ((bin + 1L) * work->Columns), count), gradient);
            }

            at += (long)bins * work->Columns;
        }
    }
}

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

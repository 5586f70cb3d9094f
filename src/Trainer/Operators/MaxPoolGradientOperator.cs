using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The way back through a maximum pooling whose windows tile the rows. Inputs: dy and y, <c>[N, C, …pooled]</c>, and x; output: dx, where
/// dy is divided evenly among the positions of its window that are the maximum.
/// </summary>
internal sealed class MaxPoolGradientOperator() : OwnOperator(Name, 3, 1)
{
    public new const string Name = "MaxPoolGradient";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new MaxPoolGradientKernel(attributes.Integers("shape"), attributes.Integer("size"));
}

/// <summary>The way back through one node.</summary>
internal sealed unsafe class MaxPoolGradientKernel(long[] shape, int size) : OwnKernel
{
    // Below, handing out the planes takes longer than doing them.
    private const long LeastShared = 1 << 15;

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        // A row of [C, L] is an image of one line, and so are its windows.
        var isLine = shape.Length == 2;
        var (height, width) = (isLine ? 1 : (int)shape[1], (int)shape[^1]);
        var x = context.Input(2);
        var planes = (int)(x.Count / ((long)height * width));
        var work = new Work
        {
            Dy = context.Numbers(0),
            Y = context.Numbers(1),
            X = (float*)x.Numbers,
            Dx = context.OutputOfRows(0, planes / shape[0], shape),
            Height = height,
            Width = width,
            Down = isLine ? 1 : size,
            Across = size,
        };
        if (planes > 1 && x.Count >= LeastShared) context.InParallel(&SharedPlane, planes, &work);
        else
            for (var plane = 0; plane < planes; plane++) Plane(&work, plane);
    }

    [UnmanagedCallersOnly]
    private static void SharedPlane(void* work, nuint plane) => Plane((Work*)work, (int)plane);

    // Lines as wholes, with what belongs to a window at each of its positions: which of them win cannot be foretold, so there is no branch.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Plane(Work* work, int plane)
    {
        var (height, width, down, across) = (work->Height, work->Width, work->Down, work->Across);
        var first = (long)plane * height * width;
        var x = work->X + first;
        var dx = work->Dx + first;
        var y = work->Y + (first / (down * across));
        var dy = work->Dy + (first / (down * across));
        var room = ArrayPool<float>.Shared.Rent(2 * width);
        var most = room.AsSpan(0, width);
        var share = room.AsSpan(width, width);
        for (var top = 0; top < height; top += down, x += down * width, dx += down * width, y += width / across, dy += width / across)
        {
            share.Clear();
            for (int window = 0, at = 0; at < width; window++)
                for (var i = 0; i < across; i++) most[at++] = y[window];
            for (var line = 0; line < down; line++) Count(x + (line * width), most, share);
            for (int window = 0, at = 0; at < width; window++, at += across)
            {
                var winners = 0f;
                for (var i = 0; i < across; i++) winners += share[at + i];
                var part = dy[window] / winners;
                for (var i = 0; i < across; i++) share[at + i] = part;
            }

            for (var line = 0; line < down; line++) Give(x + (line * width), most, share, dx + (line * width));
        }

        ArrayPool<float>.Shared.Return(room);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Count(float* x, Span<float> most, Span<float> winners)
    {
        var i = 0;
        for (; i <= most.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var won = Vector.Equals(Vector.Load(x + i), new Vector<float>(most[i..]));
            (new Vector<float>(winners[i..]) + Vector.ConditionalSelect(won, Vector<float>.One, Vector<float>.Zero)).CopyTo(winners[i..]);
        }

        for (; i < most.Length; i++) winners[i] += x[i] == most[i] ? 1 : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Give(float* x, Span<float> most, Span<float> share, float* dx)
    {
        var i = 0;
        for (; i <= most.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var won = Vector.Equals(Vector.Load(x + i), new Vector<float>(most[i..]));
            Vector.ConditionalSelect(won, new Vector<float>(share[i..]), Vector<float>.Zero).Store(dx + i);
        }

        for (; i < most.Length; i++) dx[i] = x[i] == most[i] ? share[i] : 0;
    }

    private struct Work
    {
        public float* Dy, Y, X, Dx;
        public int Height, Width, Down, Across;
    }
}

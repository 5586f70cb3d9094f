using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The one product that both directions of a convolution are made of: y[r, j] = Σ x[r, i]·w[i, j] for <see cref="Rows"/> lines of x and two
/// vectors of columns, where i runs over several stretches, in order, so that no sum depends on the number of threads.
/// </summary>
internal unsafe struct ConvolutionTile
{
    /// <summary>The lines of a tile.</summary>
    public const int Rows = 4;

    /// <summary>From one line of x to the next.</summary>
    public nint XStep;

    /// <summary>From one number of a line to the next.</summary>
    public nint XInner;

    /// <summary>From one stretch to the next.</summary>
    public nint XLine;

    /// <summary>Stretches.</summary>
    public int Lines;

    /// <summary>Numbers of a stretch.</summary>
    public int Run;

    /// <summary>From one line of w to the next.</summary>
    public nint WStep;

    /// <summary>From behind the last line of a stretch to the first one of the next.</summary>
    public nint WGap;

    /// <summary>From one line of y to the next.</summary>
    public nint YStep;

    /// <summary>Whether what is in y already is kept.</summary>
    public bool Adds;

    /// <summary>What computes tiles for so many columns.</summary>
    /// <param name="columns">The columns.</param>
    /// <param name="width">How many it does at a time.</param>
    public static delegate*<in ConvolutionTile, float*, float*, float*, void> For(int columns, out int width)
    {
        // Of lanes that nobody reads as few as possible.
        if (Vector512.IsHardwareAccelerated && columns > 2 * Lanes256.Count)
        {
            width = 2 * Lanes512.Count;
            return &Compute<Lanes512, Vector512<float>>;
        }

        if (Vector256.IsHardwareAccelerated && columns > 2 * Lanes128.Count)
        {
            width = 2 * Lanes256.Count;
            return &Compute<Lanes256, Vector256<float>>;
        }

        width = 2 * Lanes128.Count;
        return &Compute<Lanes128, Vector128<float>>;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compute<TLanes, T>(in ConvolutionTile tile, float* x, float* w, float* y)
        where TLanes : ILanes<T>
        where T : struct
    {
        T a0 = default, a1 = default, a2 = default, a3 = default;
        T b0 = default, b1 = default, b2 = default, b3 = default;
        var (step, inner, run, next) = (tile.XStep, tile.XInner, tile.Run, tile.WStep);
        for (var line = 0; line < tile.Lines; line++, x += tile.XLine, w += tile.WGap)
        {
            float* x0 = x, x1 = x0 + step, x2 = x1 + step, x3 = x2 + step;
            nint at = 0;
            for (var i = 0; i < run; i++, w += next, at += inner)
            {
                var w0 = TLanes.Load(w);
                var w1 = TLanes.Load(w + TLanes.Count);
                var value = TLanes.All(x0[at]);
                a0 = TLanes.MultiplyAdd(value, w0, a0);
                b0 = TLanes.MultiplyAdd(value, w1, b0);
                value = TLanes.All(x1[at]);
                a1 = TLanes.MultiplyAdd(value, w0, a1);
                b1 = TLanes.MultiplyAdd(value, w1, b1);
                value = TLanes.All(x2[at]);
                a2 = TLanes.MultiplyAdd(value, w0, a2);
                b2 = TLanes.MultiplyAdd(value, w1, b2);
                value = TLanes.All(x3[at]);
                a3 = TLanes.MultiplyAdd(value, w0, a3);
                b3 = TLanes.MultiplyAdd(value, w1, b3);
            }
        }

        Put<TLanes, T>(a0, b0, y, tile.Adds);
        Put<TLanes, T>(a1, b1, y + tile.YStep, tile.Adds);
        Put<TLanes, T>(a2, b2, y + (2 * tile.YStep), tile.Adds);
        Put<TLanes, T>(a3, b3, y + (3 * tile.YStep), tile.Adds);
    }

    private static void Put<TLanes, T>(T a, T b, float* y, bool adds)
        where TLanes : ILanes<T>
        where T : struct
    {
        if (adds) (a, b) = (TLanes.Add(a, TLanes.Load(y)), TLanes.Add(b, TLanes.Load(y + TLanes.Count)));
        TLanes.Store(a, y);
        TLanes.Store(b, y + TLanes.Count);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>How a row lies with its channels last, and zeros around its positions.</summary>
/// <param name="Channels">The channels.</param>
/// <param name="Width">The numbers of a position: the channels, and zeros behind them.</param>
/// <param name="Size">Height and width of the row.</param>
/// <param name="Before">Zeros in front, along each.</param>
/// <param name="After">Zeros behind.</param>
internal readonly record struct ChannelsLast(
    int Channels,
    int Width,
    (int Height, int Width) Size,
    (int Height, int Width) Before,
    (int Height, int Width) After)
{
    /// <summary>The numbers of a line of positions.</summary>
    public int Line => (Before.Width + Size.Width + After.Width) * Width;

    /// <summary>Where the first position lies.</summary>
    public int First => (Before.Height * Line) + (Before.Width * Width);

    /// <summary>
    /// The numbers of a row, and behind it as many as a tile reads too far: what it makes of them is never looked at.
    /// </summary>
    /// <param name="step">Positions from one line of a tile to the next.</param>
    public int Length(int step) =>
        ((Before.Height + Size.Height + After.Height) * Line) + (ConvolutionTile.Rows * Math.Max(1, step) * Width) + ConvolutionTile.Rows;

    /// <summary>Puts a row there, between zeros that are there already.</summary>
    /// <param name="planes">The row, <c>[C, H, W]</c>.</param>
    /// <param name="last">Where to.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe void Fill(float* planes, float* last)
    {
        nint plane = Size.Height * Size.Width;
        for (var y = 0; y < Size.Height; y++, planes += Size.Width)
        {
            var line = last + First + (y * Line);
            var from = planes;
            var channel = 0;
            for (; channel <= Channels - 4; channel += 4, from += 4 * plane)
            {
                float* a = from, b = a + plane, c = b + plane, d = c + plane, to = line + channel;
                for (var x = 0; x < Size.Width; x++, to += Width) Vector128.Create(a[x], b[x], c[x], d[x]).Store(to);
            }

            for (; channel < Channels; channel++, from += plane)
            {
                var to = line + channel;
                for (var x = 0; x < Size.Width; x++, to += Width) *to = from[x];
            }
        }
    }

    /// <summary>Takes a line of positions with their channels last apart, one channel after the other.</summary>
    /// <param name="last">The positions.</param>
    /// <param name="width">The numbers of a position.</param>
    /// <param name="channels">The channels among them.</param>
    /// <param name="count">The positions.</param>
    /// <param name="planes">Where the first channel's numbers go.</param>
    /// <param name="plane">From one channel to the next.</param>
    /// <param name="stride">From one number to the next.</param>
    /// <param name="shift">What is added to the numbers of each channel; null = nothing.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Spread(float* last, nint width, int channels, int count, float* planes, nint plane, int stride, float* shift)
    {
        for (var channel = 0; channel < channels; channel++, planes += plane)
        {
            var from = last + channel;
            var more = shift is null ? 0 : shift[channel];
            var x = 0;
            if (stride == 1)
            {
                for (; x <= count - 4; x += 4, from += 4 * width)
                    (Vector128.Create(from[0], from[width], from[2 * width], from[3 * width]) + Vector128.Create(more)).Store(planes + x);
            }

            for (; x < count; x++, from += width) planes[x * stride] = *from + more;
        }
    }
}

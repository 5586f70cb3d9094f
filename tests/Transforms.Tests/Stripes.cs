using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Noisy images of 6 by 6 pixels with a stripe: down or across.</summary>
internal static class Stripes
{
    public const int Size = 6;

    public sealed class Row
    {
        [VectorType(Size * Size)]
        public float[] Pixels { get; set; } = [];

        public bool Label { get; set; }
    }

    public static Row[] Create(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var (isAcross, at) = (i % 2 == 0, random.Next(Size));
            var pixels = new float[Size * Size];
            for (var p = 0; p < pixels.Length; p++)
                pixels[p] = (50 * random.NextSingle()) + ((isAcross ? p / Size : p % Size) == at ? 100 : 0);
            return new Row { Pixels = pixels, Label = isAcross };
        })];
    }
}

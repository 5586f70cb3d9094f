using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>
/// A number between 300,000 and 500,000 that is no linear function of two features of very different scale, with a little noise.
/// </summary>
internal static class Waves
{
    public sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public float Label { get; set; }

        public float Weight { get; set; } = 1;
    }

    public static Row[] Create(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var (x, y) = ((2 * random.NextDouble()) - 1, (2 * random.NextDouble()) - 1);
            var noise = 0.02 * ((2 * random.NextDouble()) - 1);
            return new Row
            {
                Features = [(float)(500 + (100 * x)), (float)(0.001 * y)],
                Label = (float)(400_000 + (80_000 * (Math.Sin(3 * x) * y + noise))),
            };
        })];
    }
}

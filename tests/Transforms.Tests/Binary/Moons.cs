using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Two interleaved half circles with noise: not linearly separable, learnt in a second.</summary>
internal static class Moons
{
    public sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public bool Label { get; set; }

        public float Weight { get; set; } = 1;

        public string Name { get; set; } = string.Empty;
    }

    public static Row[] Create(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var label = i % 2 == 1;
            var angle = Math.PI * random.NextDouble();
            var (x, y) = label ? (1 - Math.Cos(angle), 0.5 - Math.Sin(angle)) : (Math.Cos(angle), Math.Sin(angle));
            return new Row
            {
                Features = [(float)(100 + (10 * (x + Noise()))), (float)(0.01 * (y + Noise()))],
                Label = label,
                Name = $"row {i}",
            };
        })];

        double Noise() => 0.1 * ((2 * random.NextDouble()) - 1);
    }
}

using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Four clouds of points at the corners of a square, of three classes: two opposite corners are the same class.</summary>
internal static class Clouds
{
    /// <summary>The classes in the order in which <see cref="Create"/> first gives them, which is the order of their keys.</summary>
    public static string[] Classes { get; } = ["red", "blue", "green"];

    public sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public string Label { get; set; } = string.Empty;

        public float Number { get; set; }

        public float Weight { get; set; } = 1;
    }

    public static Row[] Create(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var corner = i % 4;
            var index = corner % 3;
            return new Row
            {
                Features = [(float)(100 + (corner is 1 or 3 ? 10 : 0) + Noise()), (float)((corner is 1 or 2 ? 10 : 0) + Noise())],
                Label = Classes[index],
                Number = 2.5f * (index + 1),
            };
        })];

        double Noise() => 3 * ((2 * random.NextDouble()) - 1);
    }
}

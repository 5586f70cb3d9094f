using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.Tests.Tables;

/// <summary>Judged by exact arithmetic: numbers whose differences are small integers stay exactly these integers apart.</summary>
public class Float32MapTests
{
    [Theory]
    [InlineData(1_234_567_800.0)]
    [InlineData(123_456_789_000.0)]
    [InlineData(1_700_000_000_123.0)]
    [InlineData(-1e12)]
    [InlineData(99_999_999_999_990.0)]
    [InlineData(4_000_000_000_000_000.0)]
    [InlineData(1e9 + 0.5)]
    public void For_NumbersFarFromZero_KeepsTheirDifferences(double start)
    {
        double[] numbers = [.. Enumerable.Range(0, 100).Select(i => start + (i * 37 % 100))];

        var map = Float32Map.For(numbers);

        Assert.Equal(1, map.Scale);
        Assert.All(numbers, number => Assert.Equal(number - numbers[0], map.Apply(number) - map.Apply(numbers[0])));
    }

    [Theory]
    [InlineData(0.0, 100.0)]
    [InlineData(2000.0, 2024.0)]
    [InlineData(16_000_000.0, 16_000_100.0)]
    [InlineData(1e9, 9e9)]
    [InlineData(-1e20, 1e25)]
    [InlineData(1e-20, 3e-20)]
    public void For_NumbersThatFloat32TellsApart_IsTheCast(double least, double most) =>
        Assert.True(Float32Map.For([.. Enumerable.Range(0, 50).Select(i => Step(least, most, i / 50.0))]).IsPlain);

    [Theory]
    [InlineData(0, 1e300)]
    [InlineData(0, 1e-300)]
    [InlineData(0, 5e-310)]
    [InlineData(-1e308, 1e308)]
    [InlineData(1e300, 1.0000001e300)]
    [InlineData(1.2e18, 1.2e18 + 1e5)]
    [InlineData(0, 1e31)]
    [InlineData(0, 1e-31)]
    public void For_NumbersOfAnySize_StayInOrderAndWithinFloat32(double least, double most)
    {
        double[] numbers = [.. Enumerable.Range(0, 20).Select(i => least + (most / 20 * i) - (least / 20 * i))];

        var map = Float32Map.For(numbers);

        var mapped = Array.ConvertAll(numbers, map.Apply);
        Assert.Equal(mapped.Order(), mapped);
        Assert.Equal(numbers.Distinct().Count(), mapped.Distinct().Count());
        Assert.InRange(mapped.Max(Math.Abs), 1e-25f, 1e25f);

        // Powers of two change no digit, and what becomes 0 and 1 are two numbers.
        Assert.Equal(map.Scale, Math.ScaleB(1, Math.ILogB(map.Scale)));
        Assert.Equal(1, (map.Offset + (1 / map.Scale) - map.Offset) * map.Scale);
    }

    [Fact]
    public void For_ZeroAmongOrderNumbers_StillKeepsThemApart()
    {
        double[] numbers = [0, .. Enumerable.Range(0, 100).Select(i => 1_234_567_000.0 + i)];

        var map = Float32Map.For(numbers);

        Assert.Equal(101, numbers.Select(map.Apply).Distinct().Count());
    }

    [Fact]
    public void For_MostRowsTheSameNumber_LooksAtTheOthers()
    {
        double[] numbers = [.. Enumerable.Range(0, 50).Select(i => 1_234_567_000.0 + i)];

        var map = Float32Map.For(numbers, [1000, .. Enumerable.Repeat(1, 49)]);

        Assert.Equal(1_234_567_000.0, map.Offset, 0.01);
    }

    [Fact]
    public void Apply_NaN_StaysNaN() => Assert.True(float.IsNaN(new Float32Map(1e9, 2).Apply(double.NaN)));

    private static double Step(double least, double most, double part) =>
        Math.Abs(least) > 1000 && most < 1e8 ? Math.Floor(least + ((most - least) * part)) : least + ((most - least) * part);
}

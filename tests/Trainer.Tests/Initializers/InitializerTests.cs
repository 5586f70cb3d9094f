namespace MlNetBatchNorm.Trainer.Tests.Initializers;

public class InitializerTests
{
    private static readonly long[] Matrix = [200, 100];
    private static readonly long[] Kernel = [64, 32, 3, 3];

    public static TheoryData<string, Initializer, double, double> VarianceRules => new()
    {
        // name, initializer, variance for the matrix, variance for the kernel (fan-in 288, fan-out 576)
        { "he", Initializer.HeNormal, 2.0 / 200, 2.0 / 288 },
        { "he uniform", Initializer.HeUniform, 2.0 / 200, 2.0 / 288 },
        { "glorot", Initializer.GlorotUniform, 2.0 / 300, 2.0 / 864 },
        { "glorot normal", Initializer.GlorotNormal, 2.0 / 300, 2.0 / 864 },
        { "gaussian", Initializer.Normal(0.02f), 0.0004, 0.0004 },
    };

    [Theory]
    [MemberData(nameof(VarianceRules))]
    public void Fill_VarianceRule_HasItsMeanVarianceAndShape(string name, Initializer initializer, double matrix, double kernel)
    {
        foreach (var (shape, variance) in new[] { (Matrix, matrix), (Kernel, kernel) })
        {
            var values = Fill(initializer, shape);
            var (mean, square) = (values.Average(value => (double)value), values.Average(value => (double)value * value));
            Assert.True(Math.Abs(mean) < 5 * Math.Sqrt(variance / values.Length), $"{name}: mean {mean}");
            Assert.InRange(square / variance, 0.95, 1.05);
            // The fourth moment tells them apart: 3 for a Gaussian, 1.8 for a uniform distribution.
            var kurtosis = values.Average(value => Math.Pow(value, 4)) / (square * square);
            var isUniform = name is "he uniform" or "glorot";
            Assert.InRange(kurtosis, isUniform ? 1.7 : 2.8, isUniform ? 1.9 : 3.2);
            if (isUniform) Assert.True(values.Max(Math.Abs) <= Math.Sqrt(3 * variance) * (1 + 1e-6));
        }
    }

    [Theory]
    [InlineData(20, 50)]
    [InlineData(50, 20)]
    [InlineData(30, 30)]
    public void Fill_Orthogonal_HasOrthonormalRowsOrColumnsTimesTheGain(int rows, int columns)
    {
        var values = Fill(Initializer.Orthogonal(2), [rows, columns]);
        var count = Math.Min(rows, columns);
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                var dot = Enumerable.Range(0, Math.Max(rows, columns)).Sum(k => (double)At(i, k) * At(j, k));
                Assert.Equal(i == j ? 4 : 0, dot, 1e-5);
            }
        }

        float At(int vector, int k) => rows <= columns ? values[(vector * columns) + k] : values[(k * columns) + vector];
    }

    [Fact]
    public void Fill_Orthogonal_TakesAKernelAsAMatrix()
    {
        var values = Fill(Initializer.Orthogonal(), [4, 3, 2, 2]);
        for (var row = 0; row < 4; row++) Assert.Equal(1, values.AsSpan(row * 12, 12).ToArray().Sum(value => (double)value * value), 1e-5);
    }

    [Fact]
    public void Fill_ConstantsAndZeros_AreTheSameEverywhere()
    {
        Assert.All(Fill(Initializer.Zeros, Matrix), value => Assert.Equal(0, value));
        Assert.All(Fill(Initializer.Ones, Matrix), value => Assert.Equal(1, value));
    }

    [Fact]
    public void Initializer_SettingOutOfItsRange_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Initializer.Normal(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Initializer.Normal(float.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Initializer.Orthogonal(-1));
    }

    private static float[] Fill(Initializer initializer, long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        initializer.Fill(values, shape, new Random(42));
        return values;
    }
}

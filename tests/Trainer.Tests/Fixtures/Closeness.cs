namespace MlNetBatchNorm.Trainer.Tests.Fixtures;

/// <summary>Comparison of tensors by their largest difference in relation to the largest expected magnitude.</summary>
public static class Closeness
{
    public static void Require(IReadOnlyList<double> expected, ReadOnlySpan<float> actual, double tolerance, string what)
    {
        Assert.Equal(expected.Count, actual.Length);
        double scale = 0, difference = 0;
        for (var i = 0; i < actual.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            difference = Math.Max(difference, Math.Abs(expected[i] - actual[i]));
            Assert.True(float.IsFinite(actual[i]), $"{what}[{i}] is {actual[i]}.");
        }

        Assert.True(
            difference <= tolerance * scale,
            FormattableString.Invariant(
                $"{what} differs by {difference:E2}, which is {difference / scale:E2} of its largest value; {tolerance:E1} is allowed."));
    }
}

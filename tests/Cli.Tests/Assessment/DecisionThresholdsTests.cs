using MlNetBatchNorm.Cli.Assessment;

namespace MlNetBatchNorm.Cli.Tests.Assessment;

/// <summary>Thresholds by what mistakes cost, against trying them all.</summary>
public sealed class DecisionThresholdsTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(8, 1)]
    [InlineData(1, 0)]
    [InlineData(0, 1)]
    public void Cheapest_AnyCosts_CostsNoMoreThanAnyOther(double falsePositive, double falseNegative)
    {
        var random = new Random(7);
        float[] probabilities = [.. Enumerable.Range(0, 300).Select(_ => MathF.Round(random.NextSingle(), 2))];
        float[] labels = [.. probabilities.Select(share => random.NextSingle() < share * share ? 1f : 0f)];
        float[] weights = [.. probabilities.Select(_ => 0.5f + random.NextSingle())];
        var rows = new ThresholdRows(probabilities, labels, weights);
        var costs = new MisclassificationCosts(falsePositive, falseNegative);

        var best = rows.Cheapest(costs);

        var tried = Enumerable.Range(0, 1001).Select(part => part / 1000.0).Append(2).Min(at => rows.At(at, costs).Cost);
        Assert.Equal(tried, rows.At(best!.Value, costs).Cost, 1e-9);
    }

    [Fact]
    public void At_FourRows_CountsByHand()
    {
        // Of 0.2, 0.4, 0.6, 0.8 the second and the last are positive; from 0.5 on one alarm is false, and one is missed.
        var at = new ThresholdRows([0.2f, 0.4f, 0.6f, 0.8f], [0, 1, 0, 1], null).At(0.5, new MisclassificationCosts(2, 10));
        Assert.Equal(new ThresholdFigures(0.5, 0.5, 0.5, 0.5, 3000), at);
    }

    // Where probabilities are what they say, Elkan's threshold.
    [Fact]
    public void Cheapest_ManyRowsWithTrueProbabilities_IsNearTheShareOfTheCosts()
    {
        var random = new Random(8);
        float[] probabilities = [.. Enumerable.Range(0, 200_000).Select(_ => random.NextSingle())];
        float[] labels = [.. probabilities.Select(share => random.NextSingle() < share ? 1f : 0f)];
        var best = new ThresholdRows(probabilities, labels, null).Cheapest(new MisclassificationCosts(1, 4));
        Assert.Equal(0.2, best!.Value, 0.03);
    }

    [Fact]
    public void Cheapest_ClassesThatAreToldApart_TakesTheOneThatGoesWithTheCosts()
    {
        var rows = new ThresholdRows([0.1f, 0.2f, 0.8f, 0.9f], [0, 0, 1, 1], null);
        Assert.Equal(0.5, rows.Cheapest(new MisclassificationCosts())!.Value, 1e-12);
        Assert.Equal(0.25, rows.Cheapest(new MisclassificationCosts(1, 3))!.Value, 1e-12);
        Assert.Equal(0.5, rows.Cheapest(new MisclassificationCosts(1, 99))!.Value, 1e-6);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0.4f)]
    public void Cheapest_AlarmsThatAreNeverWorthIt_IsAboveEveryRow(float highest)
    {
        var rows = new ThresholdRows([0.1f, 0.3f, highest], [1, 1, 0], null);
        Assert.Equal(0, rows.At(rows.Cheapest(new MisclassificationCosts(1, 0.01))!.Value, new MisclassificationCosts()).Called);
    }

    [Fact]
    public void Cheapest_OneClass_IsNone() =>
        Assert.Null(new ThresholdRows([0.1f, 0.9f], [1, 1], null).Cheapest(new MisclassificationCosts()));
}

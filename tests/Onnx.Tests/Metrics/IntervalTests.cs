using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx.Tests.Metrics;

/// <summary>How sure figures are: by Student's tables, and by drawing the rows anew.</summary>
public sealed class IntervalTests
{
    // Of Student's tables, two-sided; the last is the normal distribution.
    [Theory]
    [InlineData(0.05, 5, 2.571)]
    [InlineData(0.05, 10, 2.228)]
    [InlineData(0.01, 30, 2.750)]
    [InlineData(0.05, 1_000_000, 1.960)]
    public void Quantile_DegreesOfFreedom_IsThatOfTheTables(double error, int freedom, double expected) =>
        Assert.Equal(expected, Interval.Quantile(error, freedom), 5e-3);

    [Fact]
    public void OfMean_TenRows_IsTheStandardErrorTimesStudent()
    {
        double[] values = [4, 7, 1, 9, 3, 3, 8, 2, 6, 7];
        var interval = Interval.OfMean(values);

        // Variance 7.56 (n − 1), so a standard error of √0.7556; t of 9 degrees is 2.262.
        Assert.Equal(5, interval.Value, 12);
        Assert.Equal(2.262 * Math.Sqrt(68 / 9.0 / 10), interval.High - interval.Value, 5e-3);
        Assert.Equal(interval.Value - interval.Low, interval.High - interval.Value, 12);
    }

    [Fact]
    public void OfMean_EachRowTwiceInAClusterOfItsOwn_IsNoSurerThanOnce()
    {
        double[] once = [4, 7, 1, 9, 3, 3, 8, 2, 6, 7];
        double[] twice = [.. once, .. once];
        var interval = Interval.OfMean(twice, clusters: [.. Enumerable.Range(0, 10), .. Enumerable.Range(0, 10)]);
        var expected = Interval.OfMean(once);

        Assert.Equal(expected.Low, interval.Low, 12);
        Assert.Equal(expected.High, interval.High, 12);
        Assert.True(Interval.OfMean(twice).Low > interval.Low);
    }

    [Fact]
    public void OfMean_OneRow_HasNoEnds()
    {
        var interval = Interval.OfMean([3.0]);
        Assert.Equal(3, interval.Value);
        Assert.False(interval.IsAbove(0));
        Assert.False(interval.IsBelow(10));
    }

    public static TheoryData<string> Keys => ["auc", "accuracy", "logLoss", "macroAccuracy", "rmse", "mae", "rSquared"];

    [Theory]
    [MemberData(nameof(Keys))]
    public void ByRow_WeightedRows_HaveTheFigureAsTheirMean(string key)
    {
        var (metric, predictions, targets, width) = Sample(key, 200);
        var random = new Random(3);
        float[] weights = [.. Enumerable.Range(0, 200).Select(_ => 0.2f + random.NextSingle())];
        var rows = new PredictedRows(predictions, targets, width, weights);
        Assert.Equal(metric.Compute(rows), Interval.OfMean(metric.ByRow(rows), weights).Value, 1e-9);
    }

    // The bootstrap (Efron 1979): the spread of a figure over rows that are drawn anew.
    [Theory]
    [MemberData(nameof(Keys))]
    public void ByRow_RowsDrawnAnew_SpreadAsTheIntervalSays(string key)
    {
        const int Rows = 500, Drawings = 1500;
        var (metric, predictions, targets, width) = Sample(key, Rows);
        var said = Interval.OfMean(metric.ByRow(new PredictedRows(predictions, targets, width)));
        var random = new Random(4);
        var figures = new double[Drawings];
        for (var drawing = 0; drawing < Drawings; drawing++)
        {
            var drawn = new float[Rows];
            for (var row = 0; row < Rows; row++) drawn[random.Next(Rows)]++;
            figures[drawing] = metric.Compute(new PredictedRows(predictions, targets, width, drawn));
        }

        var mean = figures.Average();
        var spread = Math.Sqrt(figures.Sum(figure => (figure - mean) * (figure - mean)) / (Drawings - 1));
        Assert.InRange((said.High - said.Value) / 1.965 / spread, 0.9, 1.1);
    }

    private static (Metric Metric, float[] Predictions, float[] Targets, int Width) Sample(string key, int rows)
    {
        var random = new Random(5);
        var (predictions, targets) = (new List<float>(), new List<float>());
        var metric = Metric.OfTwoClasses.Concat(Metric.OfClasses).Concat(Metric.OfNumbers).First(metric => metric.Key == key);
        var width = key == "macroAccuracy" ? 3 : 1;
        for (var row = 0; row < rows; row++)
        {
            if (width == 3)
            {
                // A rare class, and one that is mostly taken for another.
                var actual = row % 10 == 0 ? 0 : 1 + (row % 2);
                var said = random.NextSingle() < 0.6f ? actual : random.Next(3);
                for (var i = 0; i < 3; i++) targets.Add(i == actual ? 1 : 0);
                for (var i = 0; i < 3; i++) predictions.Add(i == said ? 0.6f : 0.2f);
            }
            else if (Metric.OfNumbers.Contains(metric))
            {
                targets.Add(10 * random.NextSingle());
                predictions.Add(targets[^1] + (3 * (random.NextSingle() + random.NextSingle() - 1)));
            }
            else
            {
                var probability = MathF.Round(random.NextSingle(), 2);
                targets.Add(random.NextSingle() < probability ? 1 : 0);
                predictions.Add(0.05f + (0.9f * probability));
            }
        }

        return (metric, [.. predictions], [.. targets], width);
    }
}

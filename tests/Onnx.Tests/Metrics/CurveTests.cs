using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx.Tests.Metrics;

/// <summary>Curves and matrices, against the figures that are computed another way, and by hand.</summary>
public class CurveTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Roc_AreaUnderIt_IsTheMannWhitneyStatistic(bool weighted)
    {
        var random = new Random(3);
        // Rounded, so that many scores are tied.
        float[] scores = [.. Enumerable.Range(0, 500).Select(_ => MathF.Round(random.NextSingle(), 1))];
        float[] labels = [.. scores.Select(score => random.NextSingle() < score ? 1f : 0f)];
        var weights = weighted ? Array.ConvertAll(scores, _ => random.NextSingle()) : null;

        var curve = RocCurve.Of(scores, labels, weights);

        Assert.Equal(scores.Distinct().Count() + 1, curve.Count);
        Assert.Equal((0, 0), (curve[0].FalsePositiveRate, curve[0].TruePositiveRate));
        Assert.Equal((1, 1), (curve[^1].FalsePositiveRate, curve[^1].TruePositiveRate));
        var area = curve.Zip(
            curve.Skip(1), (a, b) => (b.FalsePositiveRate - a.FalsePositiveRate) * (a.TruePositiveRate + b.TruePositiveRate) / 2).Sum();
        Assert.Equal(ClassificationMetrics.AreaUnderRoc(new PredictedRows(scores, labels, 1, weights)), area, 1e-12);
        foreach (var point in curve.Skip(1))
        {
            var found = Enumerable.Range(0, 500).Where(
                row => labels[row] == 1 && scores[row] >= point.Threshold).Sum(row => weights?[row] ?? 1.0);
            Assert.Equal(
                found / Enumerable.Range(0, 500).Where(row => labels[row] == 1).Sum(row => weights?[row] ?? 1.0),
                point.TruePositiveRate,
                1e-12);
        }
    }

    // Two bins: eight rows of 0.25 of which four come about, and two of 0.9 of which both do.
    [Fact]
    public void CalibrationError_TwoBins_IsTheirMeanDistanceByRows()
    {
        var bins = ReliabilityCurve.Of([.. Enumerable.Repeat(0.25f, 8), 0.9f, 0.9f], [1, 1, 1, 1, 0, 0, 0, 0, 1, 1]);
        Assert.Equal((0.8 * 0.25) + (0.2 * 0.1), ReliabilityCurve.Error(bins), 1e-6);
    }

    // Rows whose class is drawn with the probability that is said for it have an error of chance alone.
    [Fact]
    public void CalibrationError_ProbabilitiesThatAreWhatTheySay_IsThatOfChanceOnAverage()
    {
        var random = new Random(6);
        double found = 0, expected = 0;
        for (var drawing = 0; drawing < 200; drawing++)
        {
            float[] said = [.. Enumerable.Range(0, 400).Select(_ => random.NextSingle())];
            var bins = ReliabilityCurve.Of(said, Array.ConvertAll(said, share => random.NextSingle() < share ? 1f : 0f));
            found += ReliabilityCurve.Error(bins);
            expected += ReliabilityCurve.ErrorByChance(bins);
        }

        Assert.InRange(found / expected, 0.95, 1.05);
    }

    [Fact]
    public void Reliability_OfThreeClasses_LooksAtTheOneThatIsPredicted()
    {
        var bins = ReliabilityCurve.Of(
            new PredictedRows([0.7f, 0.2f, 0.1f, 0.1f, 0.15f, 0.75f], [1, 0, 0, 0, 1, 0], 3, []));
        var bin = Assert.Single(bins);
        Assert.Equal((0.725, 0.5, 2.0), (Math.Round(bin.MeanProbability, 6), bin.PositiveShare, bin.Weight));
    }

    [Fact]
    public void Roc_OneClass_IsEmpty() => Assert.Empty(RocCurve.Of([0.1f, 0.7f], [1, 1]));

    [Fact]
    public void Reliability_RowsInBins_GivesTheirMeans()
    {
        var bins = ReliabilityCurve.Of([0, 0.05f, 0.55f, 0.5f, 1], [0, 1, 1, 0, 1], weights: [1, 3, 1, 1, 2]);

        Assert.Equal([0, 0.5, 0.9], bins.Select(bin => bin.From));
        Assert.Equal([0.1, 0.6, 1], bins.Select(bin => bin.To));
        Assert.Equal([4, 2, 2], bins.Select(bin => bin.Weight));
        Assert.Equal([0.0375, 0.525, 1], bins.Select(bin => Math.Round(bin.MeanProbability, 6)));
        Assert.Equal([0.75, 0.5, 1], bins.Select(bin => bin.PositiveShare));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(4, false)]
    [InlineData(4, true)]
    public void Confusion_DiagonalAndRecalls_AreTheMetrics(int outputs, bool weighted)
    {
        var random = new Random(outputs);
        const int count = 300;
        float[] predictions = [.. Enumerable.Range(0, count * outputs).Select(_ => random.NextSingle())];
        var targets = new float[count * outputs];
        for (var row = 0; row < count; row++) targets[(row * outputs) + random.Next(outputs)] = outputs > 1 ? 1 : random.Next(2);
        var weights = weighted ? Enumerable.Range(0, count).Select(_ => random.NextSingle()).ToArray() : null;

        var matrix = ConfusionMatrix.Of(predictions, targets, outputs, weights);

        var classes = Enumerable.Range(0, matrix.Classes).ToArray();
        Assert.Equal(Math.Max(2, outputs), matrix.Classes);
        var rows = new PredictedRows(predictions, targets, outputs, weights);
        Assert.Equal(ClassificationMetrics.Accuracy(rows), classes.Sum(i => matrix[i, i]) / matrix.Total, 1e-9);
        Assert.Equal(ClassificationMetrics.MacroAccuracy(rows), classes.Average(matrix.Recall), 1e-9);
        Assert.Equal(matrix.Total, classes.Sum(matrix.Actual), 1e-9);
        Assert.Equal(matrix.Total, classes.Sum(matrix.Predicted), 1e-9);
    }

    [Fact]
    public void Confusion_ByHand_CountsActualByPredicted()
    {
        var matrix = ConfusionMatrix.Of([0.9f, 0.2f, 0.7f, 0.6f], [1, 1, 0, 1], 1);

        Assert.Equal([0, 1, 1, 2], [matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]]);
        Assert.Equal((2 / 3.0, 2 / 3.0), (matrix.Recall(1), matrix.Precision(1)));
        Assert.True(double.IsNaN(ConfusionMatrix.Of([0.1f], [0], 1).Recall(1)));
    }
}

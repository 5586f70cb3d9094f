using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Onnx.Tests.Metrics;

public class MetricTests
{
    private static readonly Metric[] All = [.. Metric.OfTwoClasses, .. Metric.OfClasses, .. Metric.OfNumbers];

    [Fact]
    public void Loss_SharesFallAndErrorsGrow()
    {
        Assert.Equal(0.02, Metric.Accuracy.Loss(0.9, 0.88), 1e-12);
        Assert.Equal(0.05, Metric.RootMeanSquaredError.Loss(200, 210), 1e-12);
        Assert.Equal(-0.01, Metric.RSquared.Loss(0.8, 0.81), 1e-12);
        Assert.Equal(0, Metric.MeanAbsoluteError.Loss(0, 0));
    }

    [Fact]
    public void Format_ValueInTheLabelsUnit_KeepsSixDigits()
    {
        Assert.Equal("30512.6", Metric.RootMeanSquaredError.Format(30512.64));
        Assert.Equal("0.8123", Metric.AreaUnderRocCurve.Format(0.81234));
    }

    [Theory]
    [InlineData("accuracy", 0.9, 0.889, true)]
    [InlineData("accuracy", 0.9, 0.891, false)]
    [InlineData("rmse", 100, 101.1, true)]
    [InlineData("rmse", 100, 100.9, false)]
    [InlineData("rmse", 0, 1, true)]
    [InlineData("rmse", 100, double.NaN, true)]
    [InlineData("auc", double.NaN, double.NaN, false)]
    [InlineData("logLoss", 0.1, 0.5, false)]
    public void WhyTooLarge_OnePercent_IsTheLine(string key, double before, double after, bool refused)
    {
        var metric = All.First(metric => metric.Key == key);
        var reason = new MetricComparison(new MetricValues([(metric, before)]), new MetricValues([(metric, after)])).WhyTooLarge(0.01);
        if (refused) Assert.StartsWith($"{key} goes from ", reason, StringComparison.Ordinal);
        else Assert.Null(reason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Keys_ThereAndBack_AreTheSameMetrics(int task)
    {
        var metrics = new[] { Metric.OfTwoClasses, Metric.OfClasses, Metric.OfNumbers }[task];
        var values = new MetricValues(metrics.Select((metric, index) => (metric, index + 0.5)));

        Assert.Equal(values, MetricValues.FromKeys(values.ToKeys()));
    }

    [Fact]
    public void FromKeys_KeysThatDoNotGoTogether_AreRefused() =>
        Assert.Throws<FormatException>(() => MetricValues.FromKeys(new Dictionary<string, double> { ["auc"] = 1, ["rmse"] = 1 }));

    [Fact]
    public void Measure_NoWeights_IsEveryRowOnce()
    {
        float[] ones = [1, 1, 1], predictions = [2, 1, 8], targets = [1, 2, 6];
        var all = MetricValues.Measure(Metric.OfNumbers, new PredictedRows(predictions, targets, 1));

        Assert.Equal(Math.Sqrt(2), all[Metric.RootMeanSquaredError]!.Value, 1e-12);
        Assert.Null(all[Metric.Accuracy]);
        Assert.Equal(all, MetricValues.Measure(Metric.OfNumbers, new PredictedRows(predictions, targets, 1, ones)));
    }

    [Fact]
    public void PredictedRows_OtherLength_SaysBoth() => Assert.Contains(
        "2 predictions but 3 targets", Assert.Throws<ArgumentException>(
            () => _ = new PredictedRows([1, 2], [1, 2, 3], 1)).Message, StringComparison.Ordinal);
}

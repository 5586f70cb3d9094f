using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Trainer.Tests.Losses;

public class LossTests
{
    [Fact]
    public void Loss_SettingOutOfItsRange_SaysTheRange()
    {
        Rejected(() => Loss.Huber(0), "above 0");
        Rejected(() => Loss.Huber(float.NaN), "above 0");
        Rejected(() => Loss.WeightedSigmoidCrossEntropy(0), "above 0");
        Rejected(() => Loss.WeightedSigmoidCrossEntropy(1, float.PositiveInfinity), "above 0");
        Rejected(() => Loss.SmoothedCrossEntropy(1), "from 0 to below 1");
        Rejected(() => Loss.SmoothedSigmoidCrossEntropy(1), "from 0 to below 1");
        Rejected(() => Loss.SmoothedSigmoidCrossEntropy(0.1f, 0), "above 0");
        Rejected(() => Loss.SmoothedCrossEntropy(0, [1, -1]), "class 1");
        Rejected(() => Loss.SmoothedCrossEntropy(0, [0, 0]), "nothing to learn");

        static void Rejected(Func<Loss> create, string message) =>
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(create).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RequireOutputs_NetworkThatDoesNotFit_SaysWhatFits()
    {
        Rejected(Loss.SigmoidCrossEntropy, 2, "one logit");
        Rejected(Loss.SoftmaxCrossEntropy, 1, "at least 2");
        Rejected(Loss.SmoothedCrossEntropy(0, [1, 2]), 3, "2 class weights");
        Loss.SquaredError.RequireOutputs(7);

        static void Rejected(Loss loss, int outputs, string message) =>
            Assert.Contains(
                message, Assert.Throws<ArgumentException>(() => loss.RequireOutputs(outputs)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Metrics_Regression_FollowTheirFormulas()
    {
        // Errors 1, −1, 2; targets 1, 2, 6 with mean 3.
        var rows = new TrainingData(new SampleShape(1), 1, [0, 0, 0], [1, 2, 6]);

        foreach (var loss in new[] { Loss.SquaredError, Loss.AbsoluteError, Loss.Huber() })
        {
            var metrics = loss.Measure([2, 1, 8], rows);
            Assert.Equal(Math.Sqrt(2), metrics[Metric.RootMeanSquaredError]!.Value, 1e-9);
            Assert.Equal(4.0 / 3, metrics[Metric.MeanAbsoluteError]!.Value, 1e-9);
            Assert.Equal(1 - (6.0 / 14), metrics[Metric.RSquared]!.Value, 1e-9);
        }
    }

    [Fact]
    public void Metrics_RegressionWithWeights_CountAsRepeatedRows()
    {
        var weighted = new TrainingData(new SampleShape(1), 1, [0, 0], [1, 5], [3, 1]);
        var repeated = new TrainingData(new SampleShape(1), 1, [0, 0, 0, 0], [1, 1, 1, 5]);

        var (first, second) = (Loss.SquaredError.Measure([2, 3], weighted), Loss.SquaredError.Measure([2, 2, 2, 3], repeated));

        foreach (var (metric, value) in first) Assert.Equal(second[metric]!.Value, value, 1e-9);
    }

    [Fact]
    public void Metrics_Multiclass_MacroAccuracyIsTheMeanOfTheRecalls()
    {
        // Class 0: 2 of 3 right; class 1: 0 of 1; class 2 is absent.
        var rows = new TrainingData(new SampleShape(1), 3, [0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0]);

        var metrics = Loss.SoftmaxCrossEntropy.Measure([0.5f, 0.3f, 0.2f, 0.5f, 0.3f, 0.2f, 0.1f, 0.8f, 0.1f, 0.4f, 0.3f, 0.3f], rows);

        Assert.Equal(0.5, metrics[Metric.MicroAccuracy]!.Value, 1e-9);
        Assert.Equal(1.0 / 3, metrics[Metric.MacroAccuracy]!.Value, 1e-9);
        Assert.Equal(-(Math.Log(0.5) + Math.Log(0.5) + Math.Log(0.1) + Math.Log(0.3)) / 4, metrics[Metric.LogLoss]!.Value, 1e-6);
    }
}

using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Export;

public class ServedWarningTests
{
    [Theory]
    [InlineData(ModelPrecision.Float32)]
    [InlineData(ModelPrecision.Float16)]
    public void Export_ModelThatIsServedAsItIs_HasNoWarning(ModelPrecision precision)
    {
        var random = new Random(1);
        var features = Enumerable.Range(0, 400).Select(_ => random.NextSingle()).ToArray();
        var targets = Enumerable.Range(0, 100).Select(row => features[row * 4] > 0.5f ? 1f : 0f).ToArray();
        var rows = new TrainingData(new SampleShape(4), 1, features, targets);
        var network = Network.Input(4).Dense(64).BatchNorm().Relu().Dense(64).BatchNorm().Relu().Dense(1);
        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, new TrainingOptions { Epochs = 3 });

        var export = NetworkExporter.Export(trained, rows, new NetworkExportOptions { Precision = precision, AllowedMetricLoss = 1 });

        Assert.Null(export.ServedWarning);
    }
}

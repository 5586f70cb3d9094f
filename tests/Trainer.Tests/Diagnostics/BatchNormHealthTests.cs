using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Diagnostics;

public class BatchNormHealthTests
{
    [Fact]
    public void Health_ChannelsThatSayNothing_AreCounted()
    {
        // The second feature is 0 in every row, so that the first batch normalization has a channel without variance.
        var random = new Random(1);
        var features = new float[200 * 2];
        for (var row = 0; row < 200; row++) features[2 * row] = random.NextSingle();
        var rows = new TrainingData(
            new SampleShape(2), 1, features, [.. Enumerable.Range(0, 200).Select(row => features[2 * row] > 0.5f ? 1f : 0f)]);
        var network = NetworkTrainer.Train(
            Network.Input(2).BatchNorm().Dense(4).Add(new BatchNormLayer { Scale = false, ZeroGamma = false }).Dense(1),
            Loss.SigmoidCrossEntropy,
            rows,
            new TrainingOptions { Epochs = 40, BatchSize = 50, StandardizeFeatures = false });

        var health = network.BatchNorms;

        Assert.Equal(
            [("batchnorm1", 2, 1), ("batchnorm2", 4, 0)], health.Select(layer => (layer.Layer, layer.Channels, layer.ConstantChannels)));
        Assert.All(health, layer => Assert.InRange(layer.Distance!.Value, 0, 10));
        Assert.All(BatchNormHealth.Of(network.RecomputeStatistics(rows)), layer => Assert.Null(layer.Distance));
    }
}

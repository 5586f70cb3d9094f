using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>A network on sparse rows is the one that the few features that occur would train, with zeros for the others.</summary>
public class UsedFeaturesTests
{
    private const int Width = 30_000;
    private static readonly int[] Occurring = [7, 100, 5000, 29_999];
    private static readonly TrainingOptions Options = new() { Epochs = 20, BatchSize = 32, ValidationFraction = 0.2, Seed = 3 };

    [Fact]
    public void Train_FeaturesThatNeverOccur_ChangesNothing()
    {
        var (sparse, few) = (Rows(Width, slot => Occurring[slot]), Rows(Occurring.Length, slot => slot));
        var network = Network.FeedForward(Width, [8], 1);

        var trained = NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, sparse, Options);
        var expected = NetworkTrainer.Train(Network.FeedForward(Occurring.Length, [8], 1), Loss.SigmoidCrossEntropy, few, Options);

        Assert.True(sparse.FeatureRows.IsSparse);
        Assert.Same(network, trained.Network);
        Assert.Equal(expected.Best.Loss, trained.Best.Loss, 1e-6);
        var weights = trained.ParameterArrays["dense1.weight"];
        Assert.Equal(Width * 8, weights.Length);
        for (var i = 0; i < Occurring.Length; i++)
            for (var unit = 0; unit < 8; unit++)
                Assert.Equal(expected.ParameterArrays["dense1.weight"][(i * 8) + unit], weights[(Occurring[i] * 8) + unit], 1e-5f);
        Assert.Equal(4 * 8, weights.Count(weight => weight != 0));
        using var scorer = OnnxScorer.Load(NetworkExporter.Export(trained, sparse.First(50)).Folded);
        using var other = OnnxScorer.Load(NetworkExporter.Export(expected, few.First(50)).Folded);
        var (a, b) = (ModelEvaluation.Score(scorer, sparse.FeatureRows), ModelEvaluation.Score(other, few.FeatureRows));
        for (var i = 0; i < a.Length; i++) Assert.Equal(b[i], a[i], 1e-4f);
    }

    [Fact]
    public void Train_NetworkBeyondTheMemory_SaysWhatItNeeds()
    {
        var rows = new TrainingData(new SampleShape(1), 1, [1, 2, 3, 4], [0, 1, 0, 1]);
        var network = Enumerable.Range(0, 101).Aggregate(Network.Input(1), (deeper, _) => deeper.Dense(40_000)).Dense(1);

        var exception = Assert.Throws<InsufficientMemoryException>(() => NetworkTrainer.Train(
            network, Loss.SigmoidCrossEntropy, rows, Options with { BatchSize = 2, ValidationFraction = 0 }));

        Assert.Contains("A network of 160,004,120,001 parameters takes 4480.1 GB", exception.Message, StringComparison.Ordinal);
    }

    private static TrainingData Rows(int width, Func<int, int> place)
    {
        var random = new Random(1);
        var builder = new FeatureRows.Builder(width);
        var targets = new float[200];
        for (var row = 0; row < targets.Length; row++)
        {
            var slot = random.Next(Occurring.Length);
            builder.Add([1 + random.NextSingle()], [place(slot)], isDense: false);
            targets[row] = slot % 2;
        }

        return new TrainingData(new SampleShape(width), 1, builder.Build(), targets);
    }
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>
/// Group normalization of two values keeps hardly more than which is the larger: where they are nearly equal, a last digit decides.
/// </summary>
public class SteepNetworkTests
{
    private const int Count = 1000;
    private const int Width = 10;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    public void Export_GroupsOfTwoValues_MayDifferByWhatALastDigitDoes(int seed)
    {
        var (network, rows) = Train(groupSize: 2, seed);

        var exported = NetworkExporter.Export(network, rows);

        Assert.NotNull(exported.RoundingNoise);
        Assert.InRange(exported.Verification.LargestRelative, 1e-5, 8 * exported.RoundingNoise.Value);
    }

    [Fact]
    public void Export_GroupsOfEightValues_StaysWithinTheTolerance()
    {
        var (network, rows) = Train(groupSize: 8, seed: 0);

        var exported = NetworkExporter.Export(network, rows);

        Assert.Null(exported.RoundingNoise);
        Assert.InRange(exported.Verification.LargestRelative, 0, 2e-6);
    }

    [Fact]
    public void Export_FoldingThatIsWorseThanRounding_IsRefused()
    {
        // The tolerance is the only thing that can be made unfair from here: a fold of ours that is wrong would have to be written first.
        var (network, rows) = Train(groupSize: 2, seed: 0);

        var error = Assert.Throws<ModelVerificationException>(
            () => NetworkExporter.Export(network, rows, new NetworkExportOptions { Tolerance = 1e-9 })).Message;

        Assert.Contains("at most 1.0E-009 is allowed, and what a last digit in the rows does is", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Measure_LinearModel_MovesByAboutALastDigit()
    {
        var rows = Rows(1);
        var network = NetworkTrainer.Train(
            Network.Input(Width).Dense(1), Loss.SigmoidCrossEntropy, rows, new TrainingOptions { Epochs = 1 });
        var inputs = new Dictionary<string, HostTensor> { [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.FeatureArray, Count, Width) };

        var noise = RoundingNoise.Measure(BatchNormFolder.Fold(network.ToOnnx()).Model.Proto, inputs);

        Assert.Equal([TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput], noise.Outputs.Select(output => output.Output));
        Assert.InRange(noise.LargestRelative, 1e-8, 1e-6);
    }

    private static (TrainedNetwork Network, TrainingData Rows) Train(int groupSize, int seed)
    {
        var groups = 16 / groupSize;
        var network = Network.Input(Width)
            .Dense(16).GroupNorm(groups).Relu()
            .Dense(16).GroupNorm(groups).Relu()
            .Dense(1);
        var rows = Rows(seed);
        return (NetworkTrainer.Train(network, Loss.SigmoidCrossEntropy, rows, new TrainingOptions { Epochs = 5, Seed = seed }), rows);
    }

    private static TrainingData Rows(int seed)
    {
        var random = new Random(seed);
        var features = new float[Count * Width];
        foreach (ref var feature in features.AsSpan()) feature = (random.NextSingle() * 4) - 2;
        var targets = new float[Count];
        for (var row = 0; row < Count; row++) targets[row] = features[row * Width] > features[(row * Width) + 1] ? 1 : 0;
        return new TrainingData(new SampleShape(Width), 1, features, targets);
    }
}

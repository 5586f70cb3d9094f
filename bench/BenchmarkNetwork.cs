using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Bench;

/// <summary>A network whose scoring is timed. Its peers build the same one by its name.</summary>
/// <param name="Name">The name, also in JSON and in those of the peers.</param>
/// <param name="Architecture">The layers.</param>
internal sealed record BenchmarkNetwork(string Name, Network Architecture)
{
    private const int TrainingRows = 512;

    /// <summary>A small table, a large table, and images.</summary>
    public static IReadOnlyList<BenchmarkNetwork> All { get; } =
    [
        new("32-64-32-1", Network.FeedForward(32, [64, 32], 1)),
        new("784-512-512-512-10", Network.FeedForward(784, [512, 512, 512], 10)),
        new("residual CNN", Network.Input(1, 28, 28)
            .Conv2d(16, kernel: 3).BatchNorm().Relu()
            .MaxPool(2)
            .Residual(body => body
                .Conv2d(16, kernel: 3).BatchNorm().Relu()
                .Conv2d(16, kernel: 3).BatchNorm())
            .Relu()
            .GlobalAveragePool()
            .Dense(10)),
    ];

    /// <summary>
    /// The network as ONNX, unfolded and folded, after one epoch on noise: enough for statistics and weights that are nobody's special
    /// case. The score is all that it gives.
    /// </summary>
    public (ModelProto Unfolded, ModelProto Folded) Train()
    {
        var outputs = (int)Architecture.OutputShape.Count;
        var targets = new float[TrainingRows * outputs];
        for (var row = 0; row < TrainingRows; row++)
            targets[(row * outputs) + (outputs == 1 ? 0 : row % outputs)] = outputs == 1 ? row % 2 : 1;
        var rows = new TrainingData(
            Architecture.InputShape, outputs, Contender.RandomRows(TrainingRows * (int)Architecture.InputShape.Count), targets);
        var loss = outputs == 1 ? Loss.SigmoidCrossEntropy : Loss.SoftmaxCrossEntropy;
        var options = new TrainingOptions { Epochs = 1, BatchSize = 64, ValidationFraction = 0, StandardizeFeatures = false };
        var export = NetworkExporter.Export(NetworkTrainer.Train(Architecture, loss, rows, options), rows);
        return (ScoreOnly(export.Unfolded.Proto), ScoreOnly(export.Folded.Proto));
    }

    private static ModelProto ScoreOnly(ModelProto model)
    {
        var result = model.Clone();
        var outputs = result.Graph.Output;
        foreach (var other in outputs.Where(output => output.Name != TrainedNetwork.ScoreOutput).ToList())
        {
            outputs.Remove(other);
            result.Graph.Node.Remove(result.Graph.Node.Single(node => node.Output.Contains(other.Name)));
        }

        return result;
    }
}

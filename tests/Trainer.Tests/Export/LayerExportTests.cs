using System.Collections.Concurrent;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Networks with every kind of layer, exported and folded, in old and new operator sets.</summary>
public class LayerExportTests
{
    private static readonly Dictionary<string, Network> Networks = new()
    {
        ["residual images"] = Network.Input(2, 8, 8)
            .Conv2d(4, 3).BatchNorm().Relu()
            .Residual(body => body.Conv2d(4, 3).BatchNorm().Relu().Conv2d(4, 3).BatchNorm(zeroGamma: true))
            .Residual(
                body => body.Conv2d(6, 3, stride: 2).BatchNorm().Silu().Conv2d(6, 3, new ConvolutionOptions { Groups = 2 }).BatchNorm(),
                around => around.Conv2d(6, 1, stride: 2).BatchNorm())
            .Relu().GlobalAveragePool().Dense(3),
        ["sequences"] = Network.Input(2, 12)
            .Conv1d(4, 3).BatchNorm().Gelu().MaxPool(2).Conv1d(4, 3, new ConvolutionOptions { Groups = 4 }).BatchNorm().Softplus()
            .AveragePool(3, stride: 2, padding: 1).Flatten().Dense(3),
        ["normalized by row"] = Network.Input(4, 6, 6)
            .Conv2d(4, 3).GroupNorm(2).Activation(Activation.LeakyRelu()).MaxPool(3, stride: 2, padding: 1).Flatten()
            .Dense(8).LayerNorm().Tanh().Dense(3),
        ["without gamma or beta, in slices, behind the activation"] = Network.Input(5)
            .Dense(8).Sigmoid().Add(new BatchNormLayer { Scale = false, GhostBatchSize = 8 })
            .Dense(8).Add(new BatchNormLayer { Center = false }).Dropout(0.2f).Dense(3),
        ["members of an ensemble"] = Network.Input(5)
            .Members(3, member => member.Dense(8).BatchNorm().Silu().Dense(6).BatchNorm().Silu().Dropout(0.1f).Dense(3)),
        ["members that share weights"] = Network.Input(5).Members(
            3, member => member.Dense(8).BatchNorm().Silu().Dense(6, bias: true).BatchNorm().Silu().Dense(3), shared: true),
        ["waves"] = Network.Input(5).Add(new PeriodicLayer(3, 4, 1)).Dense(8).BatchNorm().Silu().Dense(3),
        ["waves of members"] = Network.Input(4).Add(
            new MembersLayer(3, Network.Input(4).Add(new PeriodicLayer(4, 2, 1)).Dense(8).BatchNorm().Silu().Dense(3).Stack)),
        ["groups"] = Network.Input(6).GroupedDense(3, 4).BatchNorm().Relu().GroupedDense(2, 3).Dense(3),
        ["in front of a padded convolution"] = Network.Input(2, 8, 8).BatchNorm().Conv2d(3, 3).GlobalAveragePool().Dense(3),
    };

    // Trained once for all operator sets.
    private static readonly ConcurrentDictionary<string, (TrainedNetwork Network, TrainingData Rows)> Trained = new();

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (var name in Networks.Keys)
                foreach (var opset in new[] { 9, 12, 13, 17, 18, 21 }) cases.Add(name, opset);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Export_FoldedAndUnfolded_AgreeInOnnxRuntime(string name, int opset)
    {
        var exported = Export(name, opset);
        GraphChecker.Check(exported.Unfolded.Proto);
        GraphChecker.Check(exported.Folded.Proto);
        Assert.DoesNotContain(exported.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        Assert.InRange(exported.Verification.LargestRelative, 0, 1e-5);
    }

    [OnnxCheckerFact]
    public void Export_FoldedAndUnfolded_PassOnnxChecker() => OnnxChecker.Require(
        from name in Networks.Keys
        from opset in Enumerable.Range(9, OnnxChecker.NewestOpset - 8)
        let exported = Export(name, opset)
        from model in new[] { (Name: "unfolded", Model: exported.Unfolded.Proto), (Name: "folded", Model: exported.Folded.Proto) }
        select ($"{name} {opset} {model.Name}", model.Model));

    private static NetworkExport Export(string name, int opset)
    {
        var (network, rows) = Trained.GetOrAdd(name, Train);
        return NetworkExporter.Export(network, rows, new NetworkExportOptions { Opset = opset });
    }

    private static (TrainedNetwork Network, TrainingData Rows) Train(string name)
    {
        var network = Networks[name];
        var random = new Random(11);
        const int count = 48;
        var targets = new float[count * 3];
        for (var row = 0; row < count; row++) targets[(row * 3) + random.Next(3)] = 1;
        var rows = new TrainingData(network.InputShape, 3, GradientCheck.Values(random, count * (int)network.InputShape.Count), targets);
        var options = new TrainingOptions { Epochs = 3, BatchSize = 16, ValidationFraction = 0.25, StandardizeFeatures = false };
        return (NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, rows, options), rows);
    }
}

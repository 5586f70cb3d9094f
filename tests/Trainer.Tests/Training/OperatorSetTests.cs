using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Losses;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>
/// <see cref="GraphBuilder.DefaultOpset"/> can be raised: whatever is emitted, ONNX Runtime takes it as written for the newer operator
/// sets, too.
/// </summary>
public sealed class OperatorSetTests
{
    private static readonly ExecutionOptions OneThread = new() { Threads = 1, Spinning = false };

    private static readonly Dictionary<string, Loss> Losses = new()
    {
        ["sigmoid"] = Loss.WeightedSigmoidCrossEntropy(2, 3),
        ["softmax"] = Loss.SmoothedCrossEntropy(0.1f, [1, 2, 3]),
        ["squared"] = Loss.SquaredError,
        ["absolute"] = Loss.AbsoluteError,
        ["huber"] = Loss.Huber(0.5f),
    };

    public static IEnumerable<object[]> OpsetsAndLosses =>
        from opset in new[] { GraphBuilder.DefaultOpset, 18, 20, 21, 23 }
        from loss in Losses.Keys
        select new object[] { opset, loss };

    [Theory]
    [InlineData(GraphBuilder.DefaultOpset)]
    [InlineData(18)]
    [InlineData(20)]
    [InlineData(21)]
    [InlineData(23)]
    public void TrainingAndInference_OfEveryLayerForAnOperatorSet_AreTakenByOnnxRuntime(int opset)
    {
        foreach (var network in new[] { Table(), Image() })
        {
            LoadTraining(network, opset, Optimizer.AdamW());
            LoadTraining(network, opset, Optimizer.Nesterov());
            LoadInference(network, opset);
        }
    }

    [Theory]
    [MemberData(nameof(OpsetsAndLosses))]
    public void Loss_ForAnOperatorSet_GivesTheSameNumbers(int opset, string name)
    {
        var outputs = name switch { "sigmoid" => 1, _ => 3 };
        float[] y = [0.3f, -1.2f, 2.5f, 0, 1, -0.25f], targets = [1, 0, 0, 0, 0, 1];
        var expected = LossGraph.Run(Losses[name], y, targets, outputs);
        var actual = LossGraph.Run(Losses[name], y, targets, outputs, opset);
        Assert.Equal(expected.RowLoss, actual.RowLoss);
        Assert.Equal(expected.Gradient, actual.Gradient);
    }

    private static Network Table()
    {
        var network = Network.Input(6).Add(new BatchNormLayer { GhostBatchSize = 4 });
        foreach (var activation in new[]
        {
            Activation.Relu, Activation.Gelu, Activation.Silu, Activation.Softplus, Activation.Sigmoid, Activation.Tanh,
            Activation.LeakyRelu(),
        })
            network = network.Dense(4).BatchNorm().Activation(activation);
        return network.Dense(6).LayerNorm().Dense(6).GroupNorm(2).Dropout(0.25f).Residual(body => body.Dense(6).BatchNorm()).Dense(3);
    }

    private static Network Image() => Network.Input(2, 8, 8)
        .Conv2d(4, 3, new ConvolutionOptions { Groups = 2 }).BatchNorm().Activation(Activation.Relu)
        .LayerNorm().GroupNorm(2).MaxPool(2).Conv2d(4, 3, stride: 2)
        .AveragePool(2, padding: 1).Dropout(0.25f).GlobalAveragePool().Dense(3);

    private static void LoadTraining(Network network, int opset, Optimizer optimizer)
    {
        var nodes = new GraphBuilder("training", opset);
        var graph = new TrainingGraph(nodes, unbiasedVariance: true, new Random(1));
        var (output, backward) = graph.Train(network.Sites, nodes.Input("x", DataType.Float, Sizes(network.InputShape)));
        var target = nodes.Input("target", DataType.Float, Sizes(network.OutputShape));
        nodes.Output("loss", graph.MeanOverRows(Losses["softmax"].RowLoss(nodes, output, target), "meanLoss"), DataType.Float, 1);
        backward(nodes.Node("Mul", [Losses["softmax"].RowGradient(nodes, output, target), graph.InverseRows]), false);
        var groups = ParameterGroup.Of(network.Parameters).Where(group => group.Role != ParameterRole.Statistic);
        optimizer.Emit(new UpdateGraph(graph, [.. groups], gradientNorm: 1));
        foreach (var (name, value) in graph.Statistics) nodes.Output($"batch.{name}", value, DataType.Float, "C");
        using var session = OnnxSession.Load(nodes.Build(), OneThread);
        Assert.Contains("loss", session.Outputs.Select(info => info.Name));
    }

    private static void LoadInference(Network network, int opset)
    {
        var nodes = new GraphBuilder("inference", opset);
        var graph = new InferenceGraph(
            nodes, parameter => nodes.Input(parameter.Name, DataType.Float, [.. parameter.Shape.Select(size => (TensorDimension)size)]));
        var output = graph.Infer(network.Sites, nodes.Input("x", DataType.Float, Sizes(network.InputShape)));
        nodes.Output("y", Losses["softmax"].Prediction(nodes, output), DataType.Float, Sizes(network.OutputShape));
        using var session = OnnxSession.Load(nodes.Build(), OneThread);
        Assert.Equal("y", session.Outputs.Single().Name);
    }

    private static TensorDimension[] Sizes(SampleShape shape) =>
        [TensorDimension.Rows, .. shape.Sizes.Select(size => (TensorDimension)size)];
}

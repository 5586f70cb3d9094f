using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer;

/// <summary>A network with the numbers that training gave it.</summary>
public sealed class TrainedNetwork
{
    /// <summary>The name of the exported model's input: the rows, <c>[N, …]</c>.</summary>
    public const string FeaturesInput = "Features";

    /// <summary>The name of the output with the network's own values, <c>[N, K]</c>: logits for the cross-entropies.</summary>
    public const string ScoreOutput = "Score";

    /// <summary>The name of the output with probabilities, <c>[N, K]</c>; only for the cross-entropies.</summary>
    public const string ProbabilityOutput = "Probability";

    internal TrainedNetwork(
        Network network,
        Loss loss,
        IReadOnlyDictionary<string, float[]> parameters,
        Standardization? standardization,
        RunningStatistics statistics,
        IReadOnlyList<EpochReport> history,
        Device device)
    {
        Network = network;
        Loss = loss;
        Parameters = parameters;
        Standardization = standardization;
        Statistics = statistics;
        History = history;
        Device = device;
    }

    /// <summary>The architecture.</summary>
    public Network Network { get; }

    /// <summary>The loss it was trained with.</summary>
    public Loss Loss { get; }

    /// <summary>All parameters and running statistics by full name, row-major.</summary>
    public IReadOnlyDictionary<string, float[]> Parameters { get; }

    /// <summary>The standardization of the input, or null.</summary>
    public Standardization? Standardization { get; }

    /// <summary>The rule of the running statistics.</summary>
    public RunningStatistics Statistics { get; }

    /// <summary>A report for each epoch.</summary>
    public IReadOnlyList<EpochReport> History { get; }

    /// <summary>The epoch that the parameters come from.</summary>
    public EpochReport Best => History.Last(report => report.IsBest);

    /// <summary>The device it was trained on.</summary>
    public Device Device { get; }

    /// <summary>
    /// The inference network as an ONNX model with its BatchNormalization nodes: input <see cref="FeaturesInput"/>, outputs
    /// <see cref="ScoreOutput"/> and, for the cross-entropies, <see cref="ProbabilityOutput"/>.
    /// </summary>
    /// <param name="opset">The version of the default operator set.</param>
    public ModelProto ToOnnx(int opset = GraphBuilder.DefaultOpset)
    {
        var nodes = new GraphBuilder("network", opset);
        var x = nodes.Input(FeaturesInput, DataType.Float, [Dimension.Rows, .. Network.InputShape.Sizes.Select(size => (Dimension)size)]);
        if (Standardization is not null) x = Standardization.Emit(nodes, x, Network.InputShape.Sizes.Count - 1);
        var graph = new InferenceGraph(nodes, parameter =>
            nodes.Initializer(TensorData.Create(parameter.Name.Split('.')[^1], Parameters[parameter.Name], [.. parameter.Shape])));
        var output = graph.Infer(Network.Sites, x);
        var prediction = Loss.Prediction(nodes, output);
        Dimension[] shape = [Dimension.Rows, .. Network.OutputShape.Sizes.Select(size => (Dimension)size)];
        nodes.Output(ScoreOutput, output, DataType.Float, shape);
        if (prediction != output) nodes.Output(ProbabilityOutput, prediction, DataType.Float, shape);
        return nodes.Build();
    }
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Results;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm;

/// <summary>A network with the numbers that training gave it. Immutable, and may be used by several threads.</summary>
public sealed class TrainedNetwork
{
    /// <summary>The name of the exported model's input: the rows, <c>[N, …]</c>.</summary>
    internal const string FeaturesInput = "Features";

    /// <summary>The name of the output with the network's own values, <c>[N, K]</c>: logits for the cross-entropies.</summary>
    internal const string ScoreOutput = ModelMetadata.ScoreOutput;

    /// <summary>
    /// The name of the output with the network's own values where <see cref="TargetOffset"/> is not 0: without it, and so with all of their
    /// digits.
    /// </summary>
    internal const string ScoreAboveOffsetOutput = ModelMetadata.ScoreAboveOffsetOutput;

    /// <summary>The name of the output with probabilities, <c>[N, K]</c>; only for the cross-entropies.</summary>
    internal const string ProbabilityOutput = ModelMetadata.ProbabilityOutput;

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
        ParameterArrays = parameters;
        Parameters = parameters.ToDictionary(
            parameter => parameter.Key, parameter => (ReadOnlyMemory<float>)parameter.Value, StringComparer.Ordinal);
        Standardization = standardization;
        Statistics = statistics;
        History = history;
        Device = device;
    }

    /// <summary>
    /// The architecture; where numbers are encoded (<see cref="TrainingOptions.NumericEncoding"/>), with the encoding as its first layer.
    /// </summary>
    public Network Network { get; }

    /// <summary>The loss it was trained with.</summary>
    public Loss Loss { get; }

    /// <summary>
    /// All parameters and running statistics by the names of layer and parameter (<c>dense1.weight</c>, <c>batchnorm1.mean</c>), row-major:
    /// weights of a dense layer <c>[in, out]</c>, kernels <c>[out, in/groups, …]</c>, what belongs to channels <c>[C]</c>.
    /// </summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<float>> Parameters { get; }

    /// <summary>How each batch normalization is doing, in the order of the network.</summary>
    public IReadOnlyList<BatchNormHealth> BatchNorms => BatchNormHealth.Of(this);

    /// <summary>The rule of the running statistics.</summary>
    public RunningStatistics Statistics { get; }

    /// <summary>A report for each epoch.</summary>
    public IReadOnlyList<EpochReport> History { get; }

    /// <summary>The epoch that the parameters come from.</summary>
    public EpochReport Best => History.Last(report => report.IsBest);

    /// <summary>The device it was trained on.</summary>
    public Device Device { get; }

    /// <summary>The threads that shared the operators of a step; see <see cref="TrainingOptions.Threads"/>.</summary>
    public int Threads { get; internal init; } = 1;

    /// <summary>What is probably not as meant; empty when nothing was found.</summary>
    public IReadOnlyList<TrainingWarning> Warnings { get; internal init; } = [];

    /// <summary>
    /// Each layer at the end of each epoch that was looked at, in the order of the epochs and then of the layers; empty where that was not
    /// asked for (see <see cref="TrainingOptions.Diagnostics"/>). What is unusual in it is among the <see cref="Warnings"/>.
    /// </summary>
    public IReadOnlyList<LayerDiagnostics> Diagnostics { get; internal init; } = [];

    /// <summary>
    /// A prediction for every training row by the member of the ensemble that did not learn from it; null where there are none (see
    /// <see cref="TrainingOptions.OutOfFold"/>).
    /// </summary>
    public OutOfFoldPredictions? OutOfFold { get; internal init; }

    /// <summary>
    /// What the logits were divided by (<see cref="TrainingOptions.Calibrate"/>); 1 = nothing. It is in the parameters already.
    /// </summary>
    public double Temperature { get; internal init; } = 1;

    /// <summary>What <see cref="Parameters"/> shows.</summary>
    internal IReadOnlyDictionary<string, float[]> ParameterArrays { get; }

    /// <summary>The standardization of the input, or null.</summary>
    internal Standardization? Standardization { get; }

    /// <summary>What was taken off the targets that it learned (see <see cref="TrainingData.TargetOffset"/>); 0 = nothing.</summary>
    internal double TargetOffset { get; init; }

    /// <summary>The way back from what the network learned to targets; null = it is the same.</summary>
    internal TargetMap? TargetMap { get; init; }

    /// <summary>How far running statistics are from those of the training rows, by layer; see <see cref="BatchNormHealth"/>.</summary>
    internal IReadOnlyDictionary<string, double> StatisticsDistances { get; init; } = new Dictionary<string, double>();

    /// <summary>
    /// The same network with the running statistics of its batch normalizations replaced by those of given rows, measured with frozen
    /// weights and without dropout: E = mean of μ over mini-batches, Var = m/(m−1) · mean of σ² (Ioffe and Szegedy 2015, Algorithm 2, steps
    /// 8 to 10).
    /// </summary>
    /// <param name="rows">
    /// The rows, as they go into the network (not standardized); usually those it was trained on. Targets are not looked at.
    /// </param>
    /// <param name="batchSize">Rows in a mini-batch. Default: 128.</param>
    /// <returns>A new network; this one stays as it is.</returns>
    /// <exception cref="ArgumentException">The rows do not fit the network, or are too few to have a variance.</exception>
    public TrainedNetwork RecomputeStatistics(TrainingData rows, int batchSize = 128)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        if (!rows.Shape.Equals(Network.InputShape))
            throw new ArgumentException(
                $"The network takes rows of shape {Network.InputShape}, but the rows have shape {rows.Shape}.", nameof(rows));
        if (!Network.HasStatistics) return this;
        var settings = new ExecutionOptions { Device = Device, Threads = Threads };
        using var population = new PopulationStatistics(Network, Standardization?.Apply(rows) ?? rows, batchSize, new Random(0), settings);
        var parameters = new Dictionary<string, float[]>(ParameterArrays, StringComparer.Ordinal);
        foreach (var (name, values) in population.Measure(name => ParameterArrays[name])) parameters[name] = values;
        return new TrainedNetwork(Network, Loss, parameters, Standardization, RunningStatistics.Population, History, Device)
        {
            Threads = Threads,
            TargetOffset = TargetOffset,
            TargetMap = TargetMap,
            Temperature = Temperature,
            Diagnostics = Diagnostics,
            Warnings = [.. Warnings.Where(warning => warning.Kind != TrainingWarningKind.StatisticsFarFromPopulation)],
        };
    }

    /// <summary>
    /// Makes the model to deploy: the network as ONNX with its batch normalizations folded, compared with the unfolded one on real rows.
    /// Its input is <c>Features</c> (<c>[N, …]</c>, not standardized), its outputs are <c>Score</c> (<c>[N, K]</c>: logits for classes, the
    /// numbers themselves otherwise) and, for classes, <c>Probability</c>.
    /// </summary>
    /// <param name="rows">
    /// Rows to compare the models on, as they go into the model (not standardized). For fewer bits their targets count, too.
    /// </param>
    /// <param name="options">Operator set, metadata, precision and tolerances; null = the defaults.</param>
    /// <exception cref="ModelVerificationException">
    /// Folding changed an output (see <see cref="NetworkExportOptions.Tolerance"/>), or fewer bits changed a figure, by more than is
    /// allowed.
    /// </exception>
    /// <exception cref="NotSupportedException">Nothing in the network can have the precision.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public NetworkExport Export(TrainingData rows, NetworkExportOptions? options = null) => NetworkExporter.Export(this, rows, options);

    /// <summary>
    /// The inference network as an ONNX model with its BatchNormalization nodes: input <see cref="FeaturesInput"/>, outputs
    /// <see cref="ScoreOutput"/> and, for the cross-entropies, <see cref="ProbabilityOutput"/>.
    /// </summary>
    /// <param name="opset">The version of the default operator set.</param>
    internal ModelProto ToOnnx(int opset = GraphBuilder.DefaultOpset)
    {
        var nodes = new GraphBuilder("network", opset);
        var x = nodes.Input(
            FeaturesInput, DataType.Float, [TensorDimension.Rows, .. Network.InputShape.Sizes.Select(size => (TensorDimension)size)]);
        if (Standardization is not null) x = Standardization.Emit(nodes, x, Network.InputShape.Sizes.Count - 1);
        var graph = new InferenceGraph(nodes, parameter =>
            nodes.Initializer(TensorData.Create(parameter.Name.Split('.')[^1], ParameterArrays[parameter.Name], [.. parameter.Shape])));
        var output = Infer(graph, x);
        var prediction = Loss.Prediction(nodes, output);
        TensorDimension[] shape = [TensorDimension.Rows, .. Network.OutputShape.Sizes.Select(size => (TensorDimension)size)];
        if (TargetOffset != 0)
        {
            var offset = nodes.Initializer(TensorData.Create("labelOffset", [(float)TargetOffset], 1));
            nodes.Output(ScoreOutput, nodes.Named("atOffset", "Add", [output, offset]), DataType.Float, shape);
            nodes.Output(ScoreAboveOffsetOutput, output, DataType.Float, shape);
            return nodes.Build();
        }

        nodes.Output(ScoreOutput, output, DataType.Float, shape);
        if (prediction != output) nodes.Output(ProbabilityOutput, prediction, DataType.Float, shape);
        return nodes.Build();
    }

    // Numbers are taken back to their unit before the members are averaged: the mean of a logarithm is not the logarithm of a mean.
    private Value Infer(InferenceGraph graph, Value x)
    {
        if (TargetMap is not { } map) return graph.Infer(Network.Sites, x);
        var outputs = map.EmitRestored(graph.Nodes, graph.Infer(Network.SitesOfMembers, x));
        return map.EmitBounded(graph.Nodes, Network.Ensemble?.Mean(graph.Nodes, outputs) ?? outputs);
    }
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>How a network is run when it is looked into.</summary>
internal enum ProbeMode
{
    /// <summary>As in a training step: batch normalizations take the mini-batch's own statistics, and dropout is on.</summary>
    Training,

    /// <summary>As at inference: batch normalizations take the running statistics, and dropout is off.</summary>
    Inference,
}

/// <summary>
/// Looks into a network: what each layer gives for a mini-batch, and the gradient of the loss with respect to it and to each parameter. It
/// is one ONNX model that the layers themselves emit, in both directions, of ONNX Runtime's operators alone; nothing of the network is
/// computed anywhere else, and nothing of it is changed. Every row counts the same.
/// </summary>
internal sealed class NetworkProbe : IDisposable
{
    private const string Activation = "activation";
    private const string Slope = "gradient";
    private const string Batch = "batch";

    private readonly Network _network;
    private readonly OnnxSession _session;
    private readonly Parameter[] _parameters;
    private readonly (string Name, Func<StepContext, float> Compute)[] _scalars;
    private readonly bool _needsOnes;
    private readonly bool _hasLoss;
    private readonly bool _needsTargets;
    private readonly long[] _targetShape;

    /// <summary>Builds the model and loads it.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="loss">
    /// The loss; null = there is none, and the targets are the gradient with respect to what the last layer gives.
    /// </param>
    /// <param name="mode">How the network is run. Default: as in training.</param>
    /// <param name="settings">Device and threads; null = the CPU, all cores.</param>
    /// <param name="watched">
    /// The layers whose activations and their gradients are read; null = all of them, those inside other layers included. Looking at fewer
    /// copies less.
    /// </param>
    /// <param name="gradients">Whether the way back is run, too. Default: true.</param>
    /// <param name="seed">What dropout is drawn from. Default: 0.</param>
    public NetworkProbe(
        Network network,
        Loss? loss,
        ProbeMode mode = ProbeMode.Training,
        ExecutionOptions? settings = null,
        Func<LayerSite, bool>? watched = null,
        bool gradients = true,
        int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(network);
        loss?.RequireOutputs(network.OutputShape.Count);
        (_network, _hasLoss, _needsTargets) = (network, loss is not null, loss is not null || gradients);
        _targetShape = loss is null ? [.. network.SitesOfMembers[^1].Output.Sizes] : [network.OutputShape.Count];
        var nodes = new GraphBuilder("network probe");
        var graph = new TrainingGraph(nodes, unbiasedVariance: true, new Random(seed), isInference: mode == ProbeMode.Inference);
        if (loss is null) EmitAlone(graph, network, gradients);
        else TrainingStep.EmitForwardAndBackward(graph, network, loss, weighted: false);

        Observe(Activation, graph.Activations);
        if (gradients)
        {
            Observe(Slope, graph.ActivationGradients);
            foreach (var parameter in network.Parameters.Where(parameter => parameter.Role != ParameterRole.Statistic))
                nodes.Output($"{Slope}:{parameter.Name}", graph.GradientOf(parameter).Emit(nodes), DataType.Float, Sizes(parameter.Shape));
        }

        if (mode == ProbeMode.Training)
            foreach (var (name, value) in graph.Statistics) nodes.Output($"{Batch}:{name}", value, DataType.Float, "C");
        _scalars = [.. graph.HostScalars];
        _needsOnes = graph.NeedsOnes;
        _parameters = [.. network.Parameters.Where(parameter => graph.Reads(parameter.Name))];
        _session = OnnxSession.Load(nodes.Build(), (settings ?? new ExecutionOptions()) with { Name = "the network probe" });

        void Observe(string what, IEnumerable<(LayerSite Site, Value Value)> values)
        {
            foreach (var (site, value) in values.Where(value => watched is null || watched(value.Site)))
                nodes.Output($"{what}:{site.Name}", value, DataType.Float, Rows(site.Output));
        }
    }

    /// <summary>Runs all rows as one mini-batch.</summary>
    /// <param name="parameters">The network's parameters by full name, as <see cref="SteppedTraining.Parameter"/> gives them.</param>
    /// <param name="rows">The rows as they go into the first layer, with targets as they are learned.</param>
    public ProbeReading Read(Func<string, float[]> parameters, TrainingData rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var targets = _network.MemberCount == 1
            ? rows.TargetArray
            : [.. Enumerable.Range(0, rows.Count).SelectMany(row => Enumerable.Repeat(row, _network.MemberCount))
                .SelectMany(row => rows.Target(row).ToArray())];
        return Read(parameters, rows.FeatureArray, targets, rows.Count);
    }

    /// <summary>Runs a mini-batch.</summary>
    /// <param name="parameters">The network's parameters by full name.</param>
    /// <param name="features">The rows, <c>[rows, …]</c>, row-major.</param>
    /// <param name="targets">
    /// The targets, <c>[rows, outputs]</c> (with an ensemble <c>[rows·members, outputs]</c>); without a loss, the gradient with respect to
    /// what the last layer gives.
    /// </param>
    /// <param name="rows">How many there are.</param>
    public ProbeReading Read(Func<string, float[]> parameters, float[] features, float[] targets, int rows)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var inputs = _parameters.ToDictionary(
            parameter => parameter.Name,
            parameter => HostTensor.Of(parameters(parameter.Name), [.. parameter.Shape]),
            StringComparer.Ordinal);
        inputs[TrainingStep.FeaturesInput] = HostTensor.Of(features, [rows, .. _network.InputShape.Sizes]);
        if (_needsTargets)
            inputs[TrainingStep.TargetsInput] = HostTensor.Of(
                targets, [targets.Length / _targetShape.Aggregate(1L, (count, size) => count * size), .. _targetShape]);
        foreach (var (name, compute) in _scalars) inputs[name] = HostTensor.Of([compute(new StepContext(1, rows, 0))]);
        if (_needsOnes)
        {
            var ones = new float[rows];
            Array.Fill(ones, 1);
            inputs[TrainingGraph.OnesInput] = HostTensor.Of(ones, rows);
        }

        var outputs = _session.Run(inputs);
        return new ProbeReading(
            rows,
            _hasLoss ? ((float[])outputs[TrainingStep.LossOutput].Data)[0] : double.NaN,
            Named(Activation),
            Named(Slope),
            Named(Batch));

        Dictionary<string, float[]> Named(string what) => outputs
            .Where(output => output.Key.StartsWith($"{what}:", StringComparison.Ordinal))
            .ToDictionary(output => output.Key[(what.Length + 1)..], output => (float[])output.Value.Data, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    private static void EmitAlone(TrainingGraph graph, Network network, bool gradients)
    {
        var x = graph.Nodes.Input(TrainingStep.FeaturesInput, DataType.Float, Rows(network.InputShape));
        var (_, backward) = graph.Train(network.SitesOfMembers, x);
        if (!gradients) return;
        backward(graph.Nodes.Input(TrainingStep.TargetsInput, DataType.Float, Rows(network.SitesOfMembers[^1].Output)), false);
    }

    private static TensorDimension[] Rows(SampleShape shape) => [TensorDimension.Rows, .. Sizes(shape.Sizes)];

    private static TensorDimension[] Sizes(IEnumerable<long> sizes) => [.. sizes.Select(size => (TensorDimension)size)];
}

/// <summary>What a look into a network gave. All arrays are row-major.</summary>
/// <param name="Rows">The rows of the mini-batch.</param>
/// <param name="Loss">The mean loss; NaN where there is none.</param>
/// <param name="Activations">What each layer gives, by its name: <c>[rows, …]</c>.</param>
/// <param name="Gradients">
/// The gradient of the mean loss with respect to what each layer gives, by its name (<c>dense1</c>), and with respect to each parameter, by
/// its full name (<c>dense1.weight</c>); empty where the way back was not run.
/// </param>
/// <param name="BatchStatistics">
/// The mini-batch's mean and (unbiased) variance of each batch normalization, by the full name of the running statistic
/// (<c>batchnorm1.mean</c>); empty at inference.
/// </param>
internal sealed record ProbeReading(
    int Rows,
    double Loss,
    IReadOnlyDictionary<string, float[]> Activations,
    IReadOnlyDictionary<string, float[]> Gradients,
    IReadOnlyDictionary<string, float[]> BatchStatistics);

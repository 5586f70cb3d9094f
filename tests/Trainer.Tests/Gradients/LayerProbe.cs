using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Tests.Gradients;

/// <summary>
/// One layer (or a few) by itself, run as it is in training: forward, backward from a given dy, and its batch statistics.
/// </summary>
internal sealed class LayerProbe : IDisposable
{
    private readonly Network _network;
    private readonly TrainingGraph _graph;
    private readonly OnnxSession _session;

    public LayerProbe(Layer layer, SampleShape input, bool unbiasedVariance = false, bool ownOperators = false)
        : this(Network.Input([.. input.Sizes]).Add(layer), unbiasedVariance, ownOperators)
    {
    }

    public LayerProbe(Network network, bool unbiasedVariance = false, bool ownOperators = false)
    {
        _network = network;
        var nodes = new GraphBuilder("probe");
        _graph = new TrainingGraph(nodes, unbiasedVariance, new Random(1), ownOperators: ownOperators);
        var x = nodes.Input("x", DataType.Float, Sizes(Input));
        var dy = nodes.Input("dy", DataType.Float, Sizes(Output));
        var (y, backward) = _graph.Train(_network.Sites, x);
        var dx = backward(dy, true);
        nodes.Output("dx", dx, DataType.Float, Sizes(Input));
        nodes.Output("y", y, DataType.Float, Sizes(Output));
        foreach (var parameter in _network.Parameters.Where(parameter => parameter.Role != ParameterRole.Statistic))
            nodes.Output(
                $"d.{parameter.Name}",
                _graph.GradientOf(parameter).Emit(nodes),
                DataType.Float,
                [.. parameter.Shape.Select(size => (TensorDimension)size)]);
        foreach (var (name, value) in _graph.Statistics) nodes.Output($"batch.{name}", value, DataType.Float, "C");
        _session = OnnxSession.Load(
            nodes.Build(), new ExecutionOptions { Operators = ownOperators ? TrainingOperators.Domain : null });
    }

    public SampleShape Input => _network.InputShape;

    public SampleShape Output => _network.OutputShape;

    public IReadOnlyList<Parameter> Parameters => _network.Parameters;

    /// <summary>All outputs: <c>y</c>, <c>dx</c>, <c>d.PARAMETER</c>, <c>batch.STATISTIC</c>.</summary>
    public IReadOnlyDictionary<string, float[]> Train(int rows, float[] x, float[] dy, IReadOnlyDictionary<string, float[]> parameters)
    {
        var inputs = new Dictionary<string, HostTensor>
        {
            ["x"] = HostTensor.Of(x, [rows, .. Input.Sizes]),
            ["dy"] = HostTensor.Of(dy, [rows, .. Output.Sizes]),
        };
        foreach (var parameter in Parameters.Where(parameter => _graph.Reads(parameter.Name)))
            inputs[parameter.Name] = HostTensor.Of(parameters[parameter.Name], [.. parameter.Shape]);
        foreach (var (name, compute) in _graph.HostScalars) inputs[name] = HostTensor.Of([compute(new StepContext(1, rows, 0.1f))]);
        if (_graph.NeedsOnes) inputs[TrainingGraph.OnesInput] = HostTensor.Of([.. Enumerable.Repeat(1f, rows)], rows);
        return _session.Run(inputs).ToDictionary(output => output.Key, output => (float[])output.Value.Data);
    }

    /// <summary>The inference pass.</summary>
    public float[] Infer(int rows, float[] x, IReadOnlyDictionary<string, float[]> parameters, int opset = GraphBuilder.DefaultOpset)
    {
        var nodes = new GraphBuilder("inference", opset);
        var input = nodes.Input("x", DataType.Float, Sizes(Input));
        var graph = new InferenceGraph(nodes, parameter =>
            nodes.Initializer(TensorData.Create(parameter.Name, parameters[parameter.Name], [.. parameter.Shape])));
        nodes.Output("y", graph.Infer(_network.Sites, input), DataType.Float, Sizes(Output));
        using var session = OnnxSession.Load(nodes.Build());
        return (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of(x, [rows, .. Input.Sizes]) })["y"].Data;
    }

    public void Dispose() => _session.Dispose();

    private static TensorDimension[] Sizes(SampleShape shape) =>
        [TensorDimension.Rows, .. shape.Sizes.Select(size => (TensorDimension)size)];
}

using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// A training step while it is built: layers ask it for their parameters and hand it gradients and batch statistics. Everything that changes
/// from step to step is an input, so one session serves every batch size and learning rate.
/// </summary>
public sealed class TrainingGraph
{
    private readonly Dictionary<string, Value> _parameters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Gradient> _gradients = new(StringComparer.Ordinal);
    private readonly List<(string Name, Value Value)> _statistics = [];
    private readonly Dictionary<string, (Value Input, Func<StepContext, float> Compute)> _scalars = new(StringComparer.Ordinal);
    private readonly bool _unbiasedVariance;
    private readonly Random _random;
    private Value _ones;

    internal TrainingGraph(GraphBuilder nodes, bool unbiasedVariance, Random random)
    {
        Nodes = nodes;
        _random = random;
        _unbiasedVariance = unbiasedVariance;
    }

    /// <summary>The graph that nodes are added to.</summary>
    public GraphBuilder Nodes { get; }

    /// <summary>1/N, a scalar.</summary>
    public Value InverseRows => HostScalar("inverseRows", context => 1f / context.Rows);

    /// <summary>One of the layer's parameters: an input of the graph.</summary>
    /// <param name="site">The layer's place.</param>
    /// <param name="name">The parameter's name in the layer.</param>
    public Value Parameter(LayerSite site, string name)
    {
        ArgumentNullException.ThrowIfNull(site);
        return Parameter(site.Parameters.Single(parameter => parameter.Name == site.FullName(name)));
    }

    /// <summary>Hands over the loss's gradient with respect to a trained parameter.</summary>
    public void SetGradient(LayerSite site, string name, Gradient gradient)
    {
        ArgumentNullException.ThrowIfNull(site);
        _gradients.Add(site.FullName(name), gradient);
    }

    /// <summary>Hands over this batch's value of a running statistic, <c>[C]</c>.</summary>
    /// <param name="site">The layer's place.</param>
    /// <param name="name">The statistic's name in the layer.</param>
    /// <param name="value">The batch's value; for a variance the biased one, Σ(x−μ)²/m.</param>
    /// <param name="isVariance">Whether it is a variance, which some rules average in its unbiased form, m/(m−1) times as large.</param>
    public void SetBatchStatistic(LayerSite site, string name, Value value, bool isVariance)
    {
        ArgumentNullException.ThrowIfNull(site);
        if (isVariance && _unbiasedVariance)
            value = Nodes.Node("Mul", [value, HostScalar("unbiased", context => context.Rows / (context.Rows - 1f))]);
        _statistics.Add((site.FullName(name), value));
    }

    /// <summary>A scalar that the host computes before each step.</summary>
    /// <param name="name">Its name; asked for twice, it is one input.</param>
    /// <param name="compute">Its value for a step.</param>
    public Value HostScalar(string name, Func<StepContext, float> compute)
    {
        if (!_scalars.TryGetValue(name, out var scalar))
            _scalars.Add(name, scalar = (Nodes.Input(name, DataType.Float), compute));
        return scalar.Input;
    }

    /// <summary>A seed for an operator that draws random numbers; it follows from the seed of the training.</summary>
    public long NextSeed() => _random.Next(1 << 24);

    /// <summary>The sum over the rows: <c>[N, C]</c> to <c>[C]</c>.</summary>
    /// <remarks>As a product with a row of ones, which ONNX Runtime runs several times faster than ReduceSum over the first axis.</remarks>
    public Value SumOverRows(Value x)
    {
        if (!_ones.IsGiven) _ones = Nodes.Input(TrainingStep.OnesInput, DataType.Float, Dimension.Rows);
        return Nodes.Named("sum", "MatMul", [_ones, x]);
    }

    /// <summary>The mean over the rows: <c>[N, C]</c> to <c>[C]</c>.</summary>
    public Value MeanOverRows(Value x, string name) => Nodes.Named(name, "Mul", [SumOverRows(x), InverseRows]);

    internal IReadOnlyList<(string Name, Value Value)> Statistics => _statistics;

    internal IEnumerable<(string Name, Func<StepContext, float> Compute)> HostScalars =>
        _scalars.Select(scalar => (scalar.Key, scalar.Value.Compute));

    internal bool NeedsOnes => _ones.IsGiven;

    internal Value Parameter(Parameter parameter)
    {
        if (!_parameters.TryGetValue(parameter.Name, out var value))
            _parameters.Add(parameter.Name, value = Nodes.Input(parameter.Name, DataType.Float, [.. parameter.Shape.Select(size => (Dimension)size)]));
        return value;
    }

    internal Gradient GradientOf(Parameter parameter) => _gradients[parameter.Name];

    internal bool Reads(string name) => _parameters.ContainsKey(name);
}

using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Operators;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Graphs;

/// <summary>
/// A training step while it is built: layers ask it for their parameters and hand it gradients and batch statistics. Everything that
/// changes from step to step is an input, so one session serves every batch size and learning rate.
/// </summary>
internal sealed class TrainingGraph
{
    /// <summary>The name of the input of ones.</summary>
    public const string OnesInput = "ones";

    private readonly Dictionary<string, Value> _parameters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Gradient> _gradients = new(StringComparer.Ordinal);
    private readonly List<(string Name, Value Value)> _statistics = [];
    private readonly Dictionary<string, (Value Input, Func<StepContext, float> Compute)> _scalars = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Value> _shared = new(StringComparer.Ordinal);
    private readonly HashSet<Value> _activated = [];
    private readonly Dictionary<Value, int> _groups = [];
    private readonly Dictionary<Value, EncodedForm> _encoded = [];
    private readonly Random _random;
    private readonly long _stepsBefore;
    private Value _ones;

    internal TrainingGraph(
        GraphBuilder nodes,
        bool unbiasedVariance,
        Random random,
        bool isNoisy = true,
        long stepsBefore = 0,
        bool ownOperators = false,
        bool isInference = false,
        Communicator? ranks = null,
        bool syncStatistics = false)
    {
        Nodes = nodes;
        IsInference = isInference;
        Ranks = ranks;
        StatisticsRanks = syncStatistics ? ranks : null;
        OwnOperators = ownOperators;
        UnbiasedVariance = unbiasedVariance;
        IsNoisy = isNoisy && !isInference;
        _random = random;
        _stepsBefore = stepsBefore;
    }

    /// <summary>The graph that nodes are added to.</summary>
    public GraphBuilder Nodes { get; }

    /// <summary>
    /// Whether layers may use <see cref="TrainingOperators"/>; where they may not, or there is none for them, nodes of ONNX Runtime compute
    /// the same.
    /// </summary>
    public bool OwnOperators { get; }

    /// <summary>The ranks that train together; null = this process alone. They need <see cref="OwnOperators"/>.</summary>
    public Communicator? Ranks { get; }

    /// <summary>The ranks over whose mini-batches together batch normalizations normalize; null = each over its own.</summary>
    public Communicator? StatisticsRanks { get; }

    /// <summary>Whether batch variances are wanted in their unbiased form, Σ(x−μ)²/(m−1), rather than Σ(x−μ)²/m.</summary>
    public bool UnbiasedVariance { get; }

    /// <summary>
    /// Whether noise such as dropout is on. It is off while population statistics are measured: they stand in for inference.
    /// </summary>
    public bool IsNoisy { get; }

    /// <summary>
    /// Whether the network is run as it is at inference, though backwards, too: batch normalizations take the running statistics.
    /// </summary>
    public bool IsInference { get; }

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
    /// <param name="value">The batch's value, as it is to be averaged; for a variance see <see cref="UnbiasedVariance"/>.</param>
    public void SetBatchStatistic(LayerSite site, string name, Value value)
    {
        ArgumentNullException.ThrowIfNull(site);
        _statistics.Add((site.FullName(name), value));
    }

    /// <summary>Emits layers one behind the other.</summary>
    /// <param name="sites">The layers.</param>
    /// <param name="x">The first one's input, <c>[N, …]</c>.</param>
    /// <returns>The last one's output, and the way back through all of them.</returns>
    public Differentiable Train(IReadOnlyList<LayerSite> sites, Value x)
    {
        ArgumentNullException.ThrowIfNull(sites);
        var steps = new Differentiable[sites.Count];
        for (var i = 0; i < steps.Length; i++)
        {
            using var scope = Nodes.Scope(sites[i].LocalName);
            steps[i] = sites[i].Layer.Train(this, sites[i], x);
            x = steps[i].Output;
            Activations.Add((sites[i], x));
        }

        return new Differentiable(x, (dy, inputNeeded) =>
        {
            for (var i = steps.Length - 1; i >= 0; i--)
            {
                using var scope = Nodes.Scope($"{sites[i].LocalName}/backward");
                ActivationGradients.Add((sites[i], dy));
                dy = steps[i].Backward(dy, inputNeeded || i > 0);
            }

            return dy;
        });
    }

    /// <summary>Adds a node with an operator of <see cref="TrainingOperators"/>.</summary>
    /// <param name="operation">Its name.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">Names for its outputs; an empty one leaves an output out.</param>
    /// <param name="attributes">Its attributes.</param>
    public Value[] Own(
        string operation, ReadOnlySpan<Value> inputs, ReadOnlySpan<string> outputs, params ReadOnlySpan<NodeArgument> attributes) =>
        Nodes.NodeOf(TrainingOperators.Name, TrainingOperators.Version, operation, inputs, outputs, attributes);

    /// <summary>Says of a layer's output that the activation behind the layer is in it already.</summary>
    public void MarkActivated(Value y) => _activated.Add(y);

    /// <summary>Whether an activation's input is its output already.</summary>
    public bool IsActivated(Value x) => _activated.Contains(x);

    /// <summary>Says of a value that it lies as <c>[G, N, C/G]</c>, group by group, rather than row by row.</summary>
    public void MarkGrouped(Value value, int groups) => _groups[value] = groups;

    /// <summary>The groups that a value lies in; 1 = row by row, as everybody but the layers of an ensemble expects.</summary>
    public int GroupsOf(Value value) => _groups.GetValueOrDefault(value, 1);

    /// <summary>Says of a value, <c>[N, D]</c>, that its rows lie as a form says.</summary>
    public void MarkEncoded(Value value, EncodedForm form) => _encoded[value] = form;

    /// <summary>The form of encoded rows whose product is best made by <see cref="EncodedProductOperator"/>; else null.</summary>
    public EncodedForm? EncodedFormOf(Value value) => OwnOperators ? _encoded.GetValueOrDefault(value) : null;

    /// <summary>A value that several layers use: made at the first call, found again at the next ones.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="emit">Emits it.</param>
    public Value Shared(string name, Func<Value> emit)
    {
        ArgumentNullException.ThrowIfNull(emit);
        if (!_shared.TryGetValue(name, out var value)) _shared.Add(name, value = emit());
        return value;
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

    /// <summary>
    /// A seed for an operator that draws random numbers; it follows from the seed of the training. ONNX Runtime's operators on the CPU draw
    /// each time from a seed that is one higher, so a training that is resumed goes on with the seed of its next step. Each rank draws
    /// others.
    /// </summary>
    public long NextSeed() => _random.Next(1 << 24) + _stepsBefore + ((long)(Ranks?.Rank ?? 0) << 40);

    /// <summary>As many ones as there are rows, <c>[N]</c>.</summary>
    public Value Ones
    {
        get
        {
            if (!_ones.IsGiven) _ones = Nodes.Input(OnesInput, DataType.Float, TensorDimension.Rows);
            return _ones;
        }
    }

    /// <summary>The sum over the rows: <c>[N, C]</c> to <c>[C]</c>.</summary>
    /// <remarks>As a product with a row of ones, which ONNX Runtime runs several times faster than ReduceSum over the first axis.</remarks>
    public Value SumOverRows(Value x) => Nodes.Named("sum", "MatMul", [Ones, x]);

    /// <summary>The mean over the rows: <c>[N, C]</c> to <c>[C]</c>.</summary>
    public Value MeanOverRows(Value x, string name) => Nodes.Named(name, "Mul", [SumOverRows(x), InverseRows]);

    /// <summary>What each layer gives, in the order of the layers; one inside another stands before the one that it is in.</summary>
    internal List<(LayerSite Site, Value Value)> Activations { get; } = [];

    /// <summary>The loss's gradient with respect to what each layer gives, as far as the way back has been emitted.</summary>
    internal List<(LayerSite Site, Value Value)> ActivationGradients { get; } = [];

    internal IReadOnlyList<(string Name, Value Value)> Statistics => _statistics;

    internal IEnumerable<(string Name, Func<StepContext, float> Compute)> HostScalars =>
        _scalars.Select(scalar => (scalar.Key, scalar.Value.Compute));

    internal bool NeedsOnes => _ones.IsGiven;

    internal Value Parameter(Parameter parameter)
    {
        if (!_parameters.TryGetValue(parameter.Name, out var value))
            _parameters.Add(
                parameter.Name,
                value = Nodes.Input(parameter.Name, DataType.Float, [.. parameter.Shape.Select(size => (TensorDimension)size)]));
        return value;
    }

    internal Gradient GradientOf(Parameter parameter) => _gradients[parameter.Name];

    internal bool Reads(string name) => _parameters.ContainsKey(name);
}

/// <summary>What the host knows at the start of a training step.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="Rows">The rows in this mini-batch.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
internal readonly record struct StepContext(long Step, int Rows, float LearningRate);

/// <summary>A value in a training graph together with the way back from it.</summary>
/// <param name="Output">The value.</param>
/// <param name="Backward">
/// Emits the backward pass: takes the loss's gradient with respect to <paramref name="Output"/>, registers the parameters' gradients and
/// returns the gradient with respect to the input. Its second argument says whether anyone needs the latter; if not it may return
/// <see cref="Value.None"/> (the first layer's input has no use for one).
/// </param>
internal readonly record struct Differentiable(Value Output, Func<Value, bool, Value> Backward);

/// <summary>
/// The loss's gradient with respect to a parameter: a value, or a product xᵀ·dy that an optimizer may fuse into its update instead of
/// writing it to memory first.
/// </summary>
internal readonly record struct Gradient
{
    private Gradient(Value left, Value right)
    {
        Left = left;
        Right = right;
    }

    /// <summary>Whether this is a product that has not been computed.</summary>
    public bool IsProduct => Right.IsGiven;

    /// <summary>The layer's input x, <c>[N, C]</c>, or the gradient itself.</summary>
    public Value Left { get; }

    /// <summary>The gradient dy with respect to the layer's output, <c>[N, K]</c>.</summary>
    public Value Right { get; }

    /// <summary>A gradient that is there already.</summary>
    public static Gradient Of(Value value) => new(value, Value.None);

    /// <summary>xᵀ·dy, <c>[C, K]</c>.</summary>
    public static Gradient Product(Value x, Value dy) => new(x, dy);

    /// <summary>The gradient as a value.</summary>
    public Value Emit(GraphBuilder nodes) => IsProduct ? nodes.Named("gradient", "Gemm", [Left, Right], ("transA", 1)) : Left;
}

using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>How gradients become new parameters.</summary>
public abstract record Optimizer
{
    private readonly float _baseLearningRate;

    private protected Optimizer(float learningRate)
    {
        if (learningRate is not (> 0 and < float.PositiveInfinity))
            throw new ArgumentOutOfRangeException(nameof(learningRate), learningRate, "A learning rate is a finite number above 0.");
        _baseLearningRate = learningRate;
    }

    /// <summary>The step size.</summary>
    public float LearningRate => _baseLearningRate;

    /// <summary>
    /// Stochastic gradient descent: <c>v ← momentum·v + g</c>, <c>p ← p − learningRate·v</c> (as PyTorch; g includes weight decay·p).
    /// </summary>
    /// <param name="learningRate">The step size. Default: 0.1.</param>
    /// <param name="momentum">From 0 (the default) to below 1.</param>
    /// <param name="weightDecay">Added to the gradient of weights (not of gamma, beta and biases), times the weight. Default: 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public static Optimizer Sgd(float learningRate = 0.1f, float momentum = 0, float weightDecay = 0) =>
        new SgdOptimizer(learningRate, momentum, weightDecay, nesterov: false);

    /// <summary>
    /// Nesterov's accelerated gradient as deep learning writes it (Sutskever et al. 2013, section 2, in the form of PyTorch):
    /// <c>v ← momentum·v + g</c>, <c>p ← p − learningRate·(g + momentum·v)</c>.
    /// </summary>
    /// <param name="learningRate">The step size. Default: 0.1.</param>
    /// <param name="momentum">Above 0, below 1. Default: 0.9.</param>
    /// <param name="weightDecay">Added to the gradient of weights (not of gamma, beta and biases), times the weight. Default: 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public static Optimizer Nesterov(float learningRate = 0.1f, float momentum = 0.9f, float weightDecay = 0) => momentum > 0
        ? new SgdOptimizer(learningRate, momentum, weightDecay, nesterov: true)
        : throw new ArgumentOutOfRangeException(
            nameof(momentum), momentum, "Nesterov's momentum is above 0 and below 1; without momentum, use Sgd.");

    /// <summary>Adam (Kingma and Ba 2015, arXiv 1412.6980, Algorithm 1).</summary>
    /// <param name="learningRate">The step size. Default: 1e-3.</param>
    /// <param name="beta1">Decay of the mean gradient. Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean squared gradient. Default: 0.999.</param>
    /// <param name="epsilon">Added to the root of the mean square. Default: 1e-8.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public static Optimizer Adam(float learningRate = 1e-3f, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f) =>
        new AdamOptimizer(learningRate, beta1, beta2, epsilon, 0);

    /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, Algorithm 2) on weights only.</summary>
    /// <param name="learningRate">The step size. Default: 1e-3.</param>
    /// <param name="weightDecay">Each step shrinks weights by <c>learningRate·weightDecay</c>. Default: 0.01.</param>
    /// <param name="beta1">Decay of the mean gradient. Default: 0.9.</param>
    /// <param name="beta2">Decay of the mean squared gradient. Default: 0.999.</param>
    /// <param name="epsilon">Added to the root of the mean square. Default: 1e-8.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public static Optimizer AdamW(
        float learningRate = 1e-3f, float weightDecay = 0.01f, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f) =>
        new AdamOptimizer(learningRate, beta1, beta2, epsilon, weightDecay);

    /// <summary>Reads a name, in any case: sgd, sgd:MOMENTUM, nesterov, nesterov:MOMENTUM, adam or adamw.</summary>
    /// <param name="text">The name.</param>
    /// <param name="learningRate">The step size; null = the optimizer's own default.</param>
    /// <param name="weightDecay">The weight decay; null = the optimizer's own default.</param>
    /// <exception cref="FormatException">Another name, or a weight decay for Adam, which has none (AdamW has).</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Optimizer Parse(string text, float? learningRate = null, float? weightDecay = null) => Choice.Read(text) switch
    {
        ("sgd", []) => Sgd(learningRate ?? 0.1f, 0, weightDecay ?? 0),
        ("sgd", [var momentum]) => Sgd(learningRate ?? 0.1f, (float)momentum, weightDecay ?? 0),
        ("nesterov", []) => Nesterov(learningRate ?? 0.1f, weightDecay: weightDecay ?? 0),
        ("nesterov", [var momentum]) => Nesterov(learningRate ?? 0.1f, (float)momentum, weightDecay ?? 0),
        ("adam", []) when weightDecay is null or 0 => Adam(learningRate ?? 1e-3f),
        ("adam", []) => throw new FormatException("Adam has no weight decay; use adamw."),
        ("adamw", []) => AdamW(learningRate ?? 1e-3f, weightDecay ?? 0.01f),
        var other => throw other.Unknown("an optimizer", "sgd[:MOMENTUM], nesterov[:MOMENTUM], adam or adamw"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, with the optimizer's own step size and decay, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Optimizer? result) =>
        Choice.TryParse(known => Parse(known), text, out result);

    /// <summary>
    /// The optimizer's name as <see cref="Parse"/> reads it: <c>sgd:0.9</c>, <c>adamw</c>. Learning rate and weight decay are not in it.
    /// </summary>
    public sealed override string ToString() => Text;

    /// <summary>How much weights are shrunk; 0 = not at all.</summary>
    internal virtual float WeightDecay => 0;

    private protected abstract string Text { get; }

    /// <summary>Emits the update of every parameter.</summary>
    /// <param name="graph">The end of the training step.</param>
    internal abstract void Emit(UpdateGraph graph);

    /// <summary>The same for a kernel of our own, which updates all at once; null where there is none.</summary>
    /// <param name="graph">The end of the training step.</param>
    internal virtual UpdateRule? Rule(UpdateGraph graph) => null;

    /// <summary>Stochastic gradient descent, with or without momentum, plain or Nesterov's.</summary>
    private sealed record SgdOptimizer : Optimizer
    {
        private const string Velocity = "velocity";

        private readonly float _momentum;
        private readonly float _weightDecay;
        private readonly bool _nesterov;

        public SgdOptimizer(float learningRate, float momentum, float weightDecay, bool nesterov)
            : base(learningRate)
        {
            if (momentum is not (>= 0 and < 1))
                throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "The momentum of SGD is from 0 to below 1.");
            if (weightDecay is not (>= 0 and < float.PositiveInfinity))
                throw new ArgumentOutOfRangeException(nameof(weightDecay), weightDecay, "Weight decay is a finite number from 0.");
            _momentum = momentum;
            _weightDecay = weightDecay;
            _nesterov = nesterov;
        }

        internal override float WeightDecay => _weightDecay;

        private protected override string Text =>
            _nesterov ? Choice.Write("nesterov", _momentum) : _momentum > 0 ? Choice.Write("sgd", _momentum) : "sgd";

        internal override void Emit(UpdateGraph graph)
        {
            foreach (var group in graph.Groups)
            {
                var decay = group.Role == ParameterRole.Weight ? _weightDecay : 0;
                if (_momentum == 0 && decay == 0)
                    foreach (var parameter in group.Parameters) EmitPlain(graph, parameter);
                else
                    EmitWithMomentum(graph, group, decay);
            }
        }

        internal override UpdateRule Rule(UpdateGraph graph)
        {
            var rate = graph.LearningRate;
            return new UpdateRule(
                IsAdam: false, _momentum, Second: 0, _nesterov, _weightDecay, _momentum > 0 ? [Velocity] : [], rate, rate, rate);
        }

        private static void EmitPlain(UpdateGraph graph, Parameter parameter)
        {
            var nodes = graph.Nodes;
            var gradient = graph.GradientOf(parameter);
            if (gradient.IsProduct) graph.Move(parameter);
            else
                graph.Update(
                    parameter, nodes.Node("Sub", [graph.Current(parameter), nodes.Node("Mul", [gradient.Left, graph.LearningRate])]));
        }

        private void EmitWithMomentum(UpdateGraph graph, ParameterGroup group, float decay)
        {
            var nodes = graph.Nodes;
            var current = graph.CurrentVector(group);
            var gradient = graph.GradientVector(group);
            if (decay > 0) gradient = nodes.Node("Add", [gradient, nodes.Node("Mul", [current, nodes.Constant(decay)])]);
            var direction = gradient;
            if (_momentum > 0)
            {
                // v ← µ·v + g; the step is v, or with Nesterov g + µ·v: where v would lead, seen from where it leads.
                var velocity = nodes.Node("Add", [nodes.Node("Mul", [graph.Slot(group, Velocity), nodes.Constant(_momentum)]), gradient]);
                graph.SetSlot(group, Velocity, velocity);
                direction = _nesterov ? nodes.Node("Add", [gradient, nodes.Node("Mul", [velocity, nodes.Constant(_momentum)])]) : velocity;
            }

            graph.UpdateVector(group, nodes.Node("Sub", [current, nodes.Node("Mul", [direction, graph.LearningRate])]));
        }
    }

    /// <summary>Adam, and AdamW where the weight decay is above 0.</summary>
    private sealed record AdamOptimizer : Optimizer
    {
        private const string Mean = "mean";
        private const string Square = "square";

        private readonly float _beta1;
        private readonly float _beta2;
        private readonly float _epsilon;
        private readonly float _weightDecay;

        public AdamOptimizer(float learningRate, float beta1, float beta2, float epsilon, float weightDecay)
            : base(learningRate)
        {
            _beta1 = InUnitInterval(beta1, nameof(beta1));
            _beta2 = InUnitInterval(beta2, nameof(beta2));
            _epsilon = epsilon > 0
                ? epsilon
                : throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "Adam's epsilon is above 0.");
            _weightDecay = weightDecay >= 0
                ? weightDecay
                : throw new ArgumentOutOfRangeException(nameof(weightDecay), weightDecay, "Weight decay is a finite number from 0.");
        }

        internal override float WeightDecay => _weightDecay;

        private protected override string Text => _weightDecay > 0 ? "adamw" : "adam";

        // With m̂ = m/(1−β₁ᵗ) and v̂ = v/(1−β₂ᵗ), η·m̂/(√v̂+ε) = η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε·√(1−β₂ᵗ)): the corrections are two scalars
        // that the host computes, not two passes over the parameters.
        internal override void Emit(UpdateGraph graph)
        {
            var nodes = graph.Nodes;
            var (rate, epsilon) = (Rate(graph), Epsilon(graph));
            foreach (var group in graph.Groups)
            {
                var gradient = graph.GradientVector(group);
                var mean = nodes.Node("Add", [
                    nodes.Node("Mul", [graph.Slot(group, Mean), nodes.Constant(_beta1)]),
                    nodes.Node("Mul", [gradient, nodes.Constant(1 - _beta1)]),
                ]);
                var square = nodes.Node("Add", [
                    nodes.Node("Mul", [graph.Slot(group, Square), nodes.Constant(_beta2)]),
                    nodes.Node("Mul", [nodes.Node("Mul", [gradient, gradient]), nodes.Constant(1 - _beta2)]),
                ]);
                graph.SetSlot(group, Mean, mean);
                graph.SetSlot(group, Square, square);
                var current = graph.CurrentVector(group);
                if (_weightDecay > 0 && group.Role == ParameterRole.Weight)
                    current = nodes.Node("Mul", [current, Keep(graph)]);
                var direction = nodes.Node("Div", [mean, nodes.Node("Add", [nodes.Node("Sqrt", [square]), epsilon])]);
                graph.UpdateVector(group, nodes.Node("Sub", [current, nodes.Node("Mul", [direction, rate])]));
            }
        }

        internal override UpdateRule Rule(UpdateGraph graph)
        {
            var rate = Rate(graph);
            return new UpdateRule(
                IsAdam: true,
                _beta1,
                _beta2,
                IsNesterov: false,
                _weightDecay,
                [Mean, Square],
                rate,
                Epsilon(graph),
                _weightDecay > 0 ? Keep(graph) : rate);
        }

        private Value Rate(UpdateGraph graph) => graph.HostScalar("adamRate", context =>
            (float)(context.LearningRate * Math.Sqrt(1 - Math.Pow(_beta2, context.Step)) / (1 - Math.Pow(_beta1, context.Step))));

        private Value Epsilon(UpdateGraph graph) =>
            graph.HostScalar("adamEpsilon", context => (float)(_epsilon * Math.Sqrt(1 - Math.Pow(_beta2, context.Step))));

        private Value Keep(UpdateGraph graph) => graph.HostScalar("keep", context => 1 - (context.LearningRate * _weightDecay));

        private static float InUnitInterval(float value, string name) => value is >= 0 and < 1
            ? value
            : throw new ArgumentOutOfRangeException(name, value, $"Adam's {name} is from 0 to below 1.");
    }
}

namespace MlNetBatchNorm.Trainer;

/// <summary>Stochastic gradient descent, with or without momentum, plain or Nesterov's.</summary>
internal sealed record SgdOptimizer : Optimizer
{
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

    public override void Emit(UpdateGraph graph)
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

    // p − η·xᵀ·dy = Gemm(xᵀ, −η·dy) + p: the gradient of a weight matrix is never written to memory.
    private static void EmitPlain(UpdateGraph graph, Parameter parameter)
    {
        var nodes = graph.Nodes;
        var gradient = graph.GradientOf(parameter);
        var current = graph.Current(parameter);
        if (gradient.IsProduct)
        {
            var minusRate = graph.HostScalar("minusLearningRate", context => -context.LearningRate);
            graph.Update(parameter, nodes.Node("Gemm", [gradient.Left, nodes.Node("Mul", [gradient.Right, minusRate]), current], ("transA", 1)));
        }
        else
        {
            graph.Update(parameter, nodes.Node("Sub", [current, nodes.Node("Mul", [gradient.Left, graph.LearningRate])]));
        }
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
            var velocity = nodes.Node("Add", [nodes.Node("Mul", [graph.Slot(group, "velocity"), nodes.Constant(_momentum)]), gradient]);
            graph.SetSlot(group, "velocity", velocity);
            direction = _nesterov ? nodes.Node("Add", [gradient, nodes.Node("Mul", [velocity, nodes.Constant(_momentum)])]) : velocity;
        }

        graph.UpdateVector(group, nodes.Node("Sub", [current, nodes.Node("Mul", [direction, graph.LearningRate])]));
    }
}

namespace MlNetBatchNorm.Trainer;

/// <summary>Adam, and AdamW where the weight decay is above 0.</summary>
internal sealed record AdamOptimizer : Optimizer
{
    private readonly float _beta1;
    private readonly float _beta2;
    private readonly float _epsilon;
    private readonly float _weightDecay;

    public AdamOptimizer(float learningRate, float beta1, float beta2, float epsilon, float weightDecay)
        : base(learningRate)
    {
        _beta1 = InUnitInterval(beta1, nameof(beta1));
        _beta2 = InUnitInterval(beta2, nameof(beta2));
        _epsilon = epsilon > 0 ? epsilon : throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "Adam's epsilon is above 0.");
        _weightDecay = weightDecay >= 0
            ? weightDecay
            : throw new ArgumentOutOfRangeException(nameof(weightDecay), weightDecay, "Weight decay is a finite number from 0.");
    }

    // With m̂ = m/(1−β₁ᵗ) and v̂ = v/(1−β₂ᵗ), η·m̂/(√v̂+ε) = η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε·√(1−β₂ᵗ)): the corrections are two scalars
    // that the host computes, not two passes over the parameters.
    public override void Emit(UpdateGraph graph)
    {
        var nodes = graph.Nodes;
        var rate = graph.HostScalar("adamRate", context =>
            (float)(context.LearningRate * Math.Sqrt(1 - Math.Pow(_beta2, context.Step)) / (1 - Math.Pow(_beta1, context.Step))));
        var epsilon = graph.HostScalar("adamEpsilon", context => (float)(_epsilon * Math.Sqrt(1 - Math.Pow(_beta2, context.Step))));
        foreach (var group in graph.Groups)
        {
            var gradient = graph.GradientVector(group);
            var mean = nodes.Node("Add", [
                nodes.Node("Mul", [graph.Slot(group, "mean"), nodes.Constant(_beta1)]),
                nodes.Node("Mul", [gradient, nodes.Constant(1 - _beta1)]),
            ]);
            var square = nodes.Node("Add", [
                nodes.Node("Mul", [graph.Slot(group, "square"), nodes.Constant(_beta2)]),
                nodes.Node("Mul", [nodes.Node("Mul", [gradient, gradient]), nodes.Constant(1 - _beta2)]),
            ]);
            graph.SetSlot(group, "mean", mean);
            graph.SetSlot(group, "square", square);
            var current = graph.CurrentVector(group);
            if (_weightDecay > 0 && group.Role == ParameterRole.Weight)
                current = nodes.Node("Mul", [current, graph.HostScalar("keep", context => 1 - (context.LearningRate * _weightDecay))]);
            var direction = nodes.Node("Div", [mean, nodes.Node("Add", [nodes.Node("Sqrt", [square]), epsilon])]);
            graph.UpdateVector(group, nodes.Node("Sub", [current, nodes.Node("Mul", [direction, rate])]));
        }
    }

    private static float InUnitInterval(float value, string name) => value is >= 0 and < 1
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"Adam's {name} is from 0 to below 1.");
}

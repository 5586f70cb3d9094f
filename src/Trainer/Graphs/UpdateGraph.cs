using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Operators;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Trainer.Graphs;

/// <summary>
/// The end of a training step, where an optimizer turns gradients into new parameters: one at a time (<see cref="Update"/>), or a whole
/// group as one vector (<see cref="UpdateVector"/>), which takes a dozen nodes instead of a dozen for each parameter.
/// </summary>
internal sealed class UpdateGraph
{
    // Of 1 MiB: long enough to be worth a message, short enough to set out early.
    private const long BucketNumbers = 1 << 18;

    // Of a smaller weight, going over it twice more costs less than a node.
    private const int LargeWeight = 1 << 14;

    private readonly TrainingGraph _training;
    private readonly Dictionary<string, Value> _vectors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Value> _next = new(StringComparer.Ordinal);
    private readonly float? _largestNorm;
    private GradientClipping? _clipping;

    internal UpdateGraph(TrainingGraph training, IReadOnlyList<ParameterGroup> groups, float? gradientNorm = null)
    {
        _training = training;
        Groups = groups;
        _largestNorm = gradientNorm;
    }

    /// <summary>The graph that nodes are added to.</summary>
    public GraphBuilder Nodes => _training.Nodes;

    /// <summary>The groups of trained parameters.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>The learning rate of the step, a scalar.</summary>
    public Value LearningRate => HostScalar("learningRate", context => context.LearningRate);

    internal HashSet<string> Inputs { get; } = new(StringComparer.Ordinal);

    internal HashSet<string> Outputs { get; } = new(StringComparer.Ordinal);

    internal List<(ParameterGroup Group, string Slot)> Slots { get; } = [];

    /// <summary>Whether an operator of our own updates everything: it reads each number of a slot before it writes that number.</summary>
    internal bool IsOwn { get; private set; }

    /// <summary>The update of everything as one node with an operator of our own.</summary>
    /// <remarks>
    /// Plain gradient descent needs no gradient of a large weight (<see cref="Move"/>), which is written where it lies: over it once, where
    /// writing the gradient and then reading both takes three times.
    /// </remarks>
    /// <param name="rule">The optimizer's part.</param>
    /// <param name="averageSlot">The slot with averages of the parameters; null = there are none.</param>
    /// <param name="averageRate">How far the averages move towards the parameters.</param>
    /// <param name="statistics">The running statistics; null = the network has none.</param>
    /// <param name="statisticsRate">How far they move towards the batch's.</param>
    public void EmitOwn(
        UpdateRule rule, string? averageSlot, Value averageRate, ParameterGroup? statistics, Value statisticsRate)
    {
        ArgumentNullException.ThrowIfNull(rule);
        IsOwn = true;
        string[] slots = averageSlot is null ? [.. rule.Slots] : [.. rule.Slots, averageSlot];
        List<Value> inputs = [.. rule.Scalars, averageRate, statisticsRate];
        var outputs = new List<(string Name, int Count)>();
        var (parts, moved) = (new List<long>(), new List<long>());
        var mayMove = rule.IsPlain && averageSlot is null && _largestNorm is null && _training.Ranks is null;
        var waits = new List<Value>();
        var sums = _training.Ranks is { } ranks ? SumsOver(ranks, waits) : null;
        foreach (var group in Groups)
        {
            inputs.Add(CurrentVector(group));
            outputs.Add((group.Name, group.Count));
            foreach (var slot in slots)
            {
                inputs.Add(Slot(group, slot));
                outputs.Add((SlotName(group, slot), group.Count));
            }

            var before = parts.Sum();
            for (var i = 0; mayMove && i < group.Parameters.Count; i++)
                if (MayMove(group.Parameters[i])) moved.Add(before + i);
            Value[] gradients = sums is not null
                ? sums[group.Name]
                : [.. group.Parameters.Select((parameter, i) => moved.Contains(before + i) ? Move(parameter) : Emit(parameter))];
            inputs.AddRange(gradients);
            parts.Add(gradients.Length);
        }

        if (statistics is not null)
        {
            var batch = _training.Statistics.ToDictionary(value => value.Name, value => value.Value, StringComparer.Ordinal);
            inputs.Add(CurrentVector(statistics));
            inputs.AddRange(statistics.Parameters.Select(parameter => batch[parameter.Name]));
            outputs.Add((statistics.Name, statistics.Count));
        }

        inputs.AddRange(waits);
        var form = new UpdateForm(
            rule.IsAdam,
            rule.First,
            rule.Second,
            rule.IsNesterov,
            _largestNorm ?? 0,
            rule.Slots.Count,
            averageSlot is not null,
            [.. Groups.Select(group => group.Role == ParameterRole.Weight ? rule.Decay : 0)],
            [.. parts],
            [.. moved],
            statistics?.Parameters.Count ?? 0);
        string[] names = [.. outputs.Select(output => output.Name)];
        var next = _training.Ranks is { } all
            ? _training.Own(UpdateOperator.OfRanks, [.. inputs], names, [.. form.Attributes, ("ranks", all.Key)])
            : _training.Own(UpdateOperator.Name, [.. inputs], names, form.Attributes);
        for (var i = 0; i < next.Length; i++) AddOutput(outputs[i].Name, next[i], outputs[i].Count);
    }

    /// <summary>A scalar that the host computes before each step.</summary>
    public Value HostScalar(string name, Func<StepContext, float> compute) => _training.HostScalar(name, compute);

    /// <summary>A parameter's value before the step.</summary>
    public Value Current(Parameter parameter) => _training.Parameter(parameter);

    /// <summary>A parameter's gradient; clipped, where the training clips gradients.</summary>
    public Gradient GradientOf(Parameter parameter)
    {
        if (_largestNorm is not { } norm) return _training.GradientOf(parameter);
        _clipping ??= GradientClipping.Emit(_training, Groups, norm);
        return _clipping.GradientOf(parameter);
    }

    /// <summary>Sets a parameter's value after the step.</summary>
    public void Update(Parameter parameter, Value next)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        AddOutput(parameter.Name, next, [.. parameter.Shape.Select(size => (TensorDimension)size)]);
    }

    /// <summary>
    /// Sets a weight after a step of plain gradient descent, where its gradient is a product: p − η·xᵀ·dy = Gemm(xᵀ, −η·dy) + p, so that
    /// the gradient is never written to memory.
    /// </summary>
    /// <returns>The weight after the step.</returns>
    public Value Move(Parameter parameter)
    {
        var (gradient, current) = (GradientOf(parameter), Current(parameter));
        var minusRate = HostScalar("minusLearningRate", context => -context.LearningRate);
        var next = Nodes.Node("Gemm", [gradient.Left, Nodes.Node("Mul", [gradient.Right, minusRate]), current], ("transA", 1));
        Update(parameter, next);
        return next;
    }

    /// <summary>All values of a group before the step, <c>[count]</c>.</summary>
    public Value CurrentVector(ParameterGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return Vector(group.Name, group.Count);
    }

    /// <summary>All gradients of a group, <c>[count]</c>.</summary>
    public Value GradientVector(ParameterGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return Concatenate([.. group.Parameters.Select(parameter => Flatten(GradientOf(parameter).Emit(Nodes), parameter.Shape.Count))]);
    }

    /// <summary>Sets all values of a group after the step.</summary>
    public void UpdateVector(ParameterGroup group, Value next)
    {
        ArgumentNullException.ThrowIfNull(group);
        AddOutput(group.Name, next, group.Count);
    }

    /// <summary>All values of a group after the step, which must have been set, <c>[count]</c>.</summary>
    public Value NextVector(ParameterGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return _next.TryGetValue(group.Name, out var vector)
            ? vector
            : Concatenate([.. group.Parameters.Select(parameter => Flatten(_next[parameter.Name], parameter.Shape.Count))]);
    }

    /// <summary>A vector of the optimizer's own, as long as the group, zero at first: its value before the step.</summary>
    public Value Slot(ParameterGroup group, string slot)
    {
        ArgumentNullException.ThrowIfNull(group);
        Slots.Add((group, slot));
        return Vector(SlotName(group, slot), group.Count);
    }

    /// <summary>Sets a slot's value after the step.</summary>
    public void SetSlot(ParameterGroup group, string slot, Value next) => AddOutput(SlotName(group, slot), next, group.Count);

    /// <summary>The name of an output, given the name of the input that it replaces.</summary>
    internal static string NextName(string name) => $"{name}.next";

    internal static string SlotName(ParameterGroup group, string slot) => $"{group.Name}.{slot}";

    internal Value Concatenate(Value[] parts) => parts.Length == 1 ? parts[0] : Nodes.Node("Concat", parts, ("axis", 0));

    private Value Emit(Parameter parameter) => _training.GradientOf(parameter).Emit(Nodes);

    // Nothing but the product on the way forward may read it: what reads it on the way back could come too late.
    private bool MayMove(Parameter parameter) => parameter.Count >= LargeWeight && _training.GradientOf(parameter).IsProduct
        && Nodes.ReaderCount(Current(parameter)) == 1;

    // The gradients of each group in buckets, each of which sets out on its own. ONNX Runtime runs what stands last in the model first, as
    // far as it can. So weights stand behind scales and shifts, which are few enough to set out together, once all are there; and the
    // weights of the last layers, whose gradients are there first, behind those of the first.
    private Dictionary<string, Value[]> SumsOver(Communicator ranks, List<Value> waits) =>
        Groups.OrderByDescending(group => group.Role).ToDictionary(
            group => group.Name, group => SumsOver(ranks, group, waits).ToArray(), StringComparer.Ordinal);

    // The gradient of a large weight is a bucket by itself, added up where it lies: nobody else reads it, as may be with that of a shift.
    private IEnumerable<Value> SumsOver(Communicator ranks, ParameterGroup group, List<Value> waits)
    {
        for (var first = 0; first < group.Parameters.Count;)
        {
            var (next, count) = (first, 0L);
            while (next < group.Parameters.Count && (count == 0 || count + group.Parameters[next].Count <= BucketNumbers))
                count += group.Parameters[next++].Count;
            Value[] gradients = [.. group.Parameters.Skip(first).Take(next - first).Select(Emit)];
            first = next;
            var isInPlace = gradients.Length == 1 && group.Role == ParameterRole.Weight;
            var sum = _training.Own(
                SumOperator.Name,
                gradients,
                ["bucket"],
                ("ranks", ranks.Key),
                ("inputs", gradients.Length),
                ("inPlace", isInPlace ? 1 : 0))[0];
            if (isInPlace) waits.Add(sum);
            yield return isInPlace ? gradients[0] : sum;
        }
    }

    private Value Flatten(Value gradient, int rank) => rank == 1 ? gradient : Nodes.Node("Reshape", [gradient, Nodes.Integers(-1)]);

    private Value Vector(string name, int count)
    {
        if (!_vectors.TryGetValue(name, out var vector))
        {
            _vectors.Add(name, vector = Nodes.Input(name, DataType.Float, count));
            Inputs.Add(name);
        }

        return vector;
    }

    private void AddOutput(string name, Value next, params ReadOnlySpan<TensorDimension> shape)
    {
        Nodes.Output(NextName(name), next, DataType.Float, shape);
        Outputs.Add(name);
        _next.Add(name, next);
    }
}

/// <summary>An optimizer as a kernel of our own knows it.</summary>
/// <param name="IsAdam">Adam, rather than gradient descent.</param>
/// <param name="First">The momentum, or Adam's β₁.</param>
/// <param name="Second">Adam's β₂.</param>
/// <param name="IsNesterov">Whether the momentum is Nesterov's.</param>
/// <param name="Decay">The decay of weights.</param>
/// <param name="Slots">What the optimizer keeps for each group.</param>
/// <param name="Scalars">The rate, Adam's ε, and the factor of AdamW's decay; for what it does not use, any.</param>
internal sealed record UpdateRule(
    bool IsAdam, float First, float Second, bool IsNesterov, float Decay, IReadOnlyList<string> Slots, params IReadOnlyList<Value> Scalars)
{
    /// <summary>Whether a parameter moves by its gradient alone: p ← p − η·g.</summary>
    public bool IsPlain => !IsAdam && Slots.Count == 0 && Decay == 0;
}

/// <summary>
/// Gradients shortened to a largest norm over all parameters together (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, Algorithm 1):
/// g ← g·min(1, c/(‖g‖ + 1e-6)), with ‖g‖ = √(Σ over all parameters of Σ g²). The 1e-6, as in PyTorch, keeps a zero gradient from dividing
/// by 0.
/// </summary>
internal sealed class GradientClipping
{
    private readonly Dictionary<string, Gradient> _clipped;

    private GradientClipping(Dictionary<string, Gradient> clipped) => _clipped = clipped;

    public static GradientClipping Emit(TrainingGraph training, IReadOnlyList<ParameterGroup> groups, float largestNorm)
    {
        var nodes = training.Nodes;
        using var scope = nodes.Scope("clipping");
        var parameters = groups.SelectMany(group => group.Parameters).ToArray();
        var gradients = Array.ConvertAll(parameters, parameter => training.GradientOf(parameter).Emit(nodes));
        var squares = Array.ConvertAll(gradients, gradient => nodes.SumOfSquares(gradient));
        var norm = nodes.Named("norm", "Sqrt", [nodes.Node("Sum", squares)]);
        var ratio = nodes.Node("Div", [nodes.Constant(largestNorm), nodes.Node("Add", [norm, nodes.Constant(1e-6f)])]);
        var factor = nodes.Named("factor", "Min", [ratio, nodes.Constant(1)]);
        return new GradientClipping(parameters.Zip(gradients).ToDictionary(
            pair => pair.First.Name, pair => Gradient.Of(nodes.Named("clipped", "Mul", [pair.Second, factor])), StringComparer.Ordinal));
    }

    public Gradient GradientOf(Parameter parameter) => _clipped[parameter.Name];
}

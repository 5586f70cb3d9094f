using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// An ensemble inside one network: <paramref name="Count"/> members of the same layers with weights and batch normalizations of their own,
/// side by side, and the mean of what they give. The first dense layer is one product for all members, the others are products by group.
/// </summary>
/// <param name="Count">How many members there are; at least 2.</param>
/// <param name="Body">The layers of one member; takes the shape that comes in.</param>
internal sealed record MembersLayer(int Count, LayerStack Body) : Layer
{
    private readonly LayerStack _side = Expand(Count, Body);

    /// <inheritdoc/>
    public override string Kind => "members";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => Body.InputShape.Equals(input)
        ? Body.OutputShape
        : throw new ArgumentException($"The members take rows of shape {Body.InputShape}, but get {input}.");

    /// <summary>The layers of all members side by side: <c>[in]</c> to <c>[Count·out]</c>.</summary>
    public override IReadOnlyList<LayerSite> InnerSites(LayerSite site) => _side.SitesInside(site.Name);

    /// <summary>The layers of one member, under the names of those of all: each parameter is a part of one of theirs.</summary>
    public IReadOnlyList<LayerSite> MemberSites(LayerSite site) => Body.SitesInside(site.Name);

    /// <summary>The same for rows of another shape.</summary>
    public MembersLayer For(SampleShape input) =>
        new(Count, new LayerStack(input, [.. Body.Sites.Select(site => site.Layer)])) { Name = Name };

    /// <inheritdoc/>
    /// <remarks>Each member has its share of the mean's gradient: dy/Count.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var (outputs, backward) = graph.Train(InnerSites(site), x);
        return new Differentiable(Mean(nodes, outputs), (dy, inputNeeded) =>
        {
            var share = nodes.Node("Mul", [dy, nodes.Constant(1f / Count)]);
            return backward(nodes.Named("dMembers", "Concat", [.. Enumerable.Repeat(share, Count)], ("axis", 1)), inputNeeded);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Mean(graph.Nodes, graph.Infer(InnerSites(site), x));

    /// <summary>Emits the mean over the members: <c>[N, Count·K]</c> to <c>[N, K]</c>.</summary>
    public Value Mean(GraphBuilder nodes, Value outputs)
    {
        var byMember = nodes.Node("Reshape", [outputs, nodes.Integers(-1, Count, Body.OutputShape.Count)]);
        return nodes.ReduceMean(byMember, keepAxes: false, 1);
    }

    private static LayerStack Expand(int count, LayerStack body)
    {
        if (count < 2) throw new ArgumentException($"An ensemble has at least 2 members, but {count} are asked for.");
        if (body.Sites.Count == 0) throw new ArgumentException("The members have no layers.");
        if (!body.InputShape.IsVector) throw new ArgumentException($"Members take rows of shape [C], but get {body.InputShape}.");
        var layers = new List<Layer>();
        var isShared = true;
        foreach (var site in body.Sites)
        {
            layers.Add(site.Layer.SideBySide(count, isShared) with { Name = site.Name });
            isShared &= site.Layer is not DenseLayer;
        }

        return isShared
            ? throw new ArgumentException("The members have no dense layer, so that all of them would give the same.")
            : new LayerStack(body.InputShape, [.. layers]);
    }
}

/// <summary>
/// Dense layers side by side, each on its own part of the row: <c>y = x·W + b</c> for each group, with <c>x</c> of shape <c>[N, G·C]</c>,
/// <c>W</c> of shape <c>[G, C, units]</c> and <c>y</c> of shape <c>[N, G·units]</c>.
/// </summary>
/// <param name="Groups">The number of groups.</param>
/// <param name="Units">The outputs of each.</param>
internal sealed record GroupedDenseLayer(int Groups, int Units) : Layer
{
    /// <summary>Whether to add a bias; null (the default) = unless a batch normalization follows, which would undo it.</summary>
    public bool? Bias { get; init; }

    /// <summary>The first values of each group's weights; null (the default) = He before a relu kind, Glorot otherwise.</summary>
    public Initializer? WeightInitializer { get; init; }

    /// <inheritdoc/>
    public override string Kind => "groupeddense";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector && input.Channels % Groups == 0
        ? new SampleShape(Groups * (long)Units)
        : throw new ArgumentException($"A dense layer of {Groups} groups takes rows of {Groups} equal parts, but gets {input}.");

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        var first = (WeightInitializer ?? site.FirstWeights).ForEachOf(Groups);
        yield return new Parameter("weight", [Groups, site.Input.Channels / Groups, Units], ParameterRole.Weight, first);
        if (HasBias(site)) yield return new Parameter("bias", [Groups * (long)Units], ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>For each group dW = xᵀ·dy and dx = dy·Wᵀ; db = Σ dy over the rows.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var weight = graph.Parameter(site, "weight");
        var inputs = site.Input.Channels / Groups;
        var parts = nodes.Node("Reshape", [x, nodes.Integers(-1, Groups, inputs)]);
        var y = Product(nodes, parts, weight);
        if (HasBias(site)) y = nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var byGroup = ByGroup(nodes, nodes.Node("Reshape", [dy, nodes.Integers(-1, Groups, Units)]));
            var transposed = nodes.Node("Transpose", [parts], ("perm", new long[] { 1, 2, 0 }));
            graph.SetGradient(site, "weight", Gradient.Of(nodes.Named("gradient", "MatMul", [transposed, byGroup])));
            if (HasBias(site)) graph.SetGradient(site, "bias", Gradient.Of(graph.SumOverRows(dy)));
            if (!inputNeeded) return Value.None;
            var back = nodes.Node("Transpose", [weight], ("perm", new long[] { 0, 2, 1 }));
            return Joined(nodes, nodes.Node("MatMul", [byGroup, back]), inputs);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var parts = nodes.Node("Reshape", [x, nodes.Integers(-1, Groups, site.Input.Channels / Groups)]);
        var y = Product(nodes, parts, graph.Parameter(site, "weight"));
        return HasBias(site) ? nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]) : y;
    }

    // [N, G, C] · [G, C, units] to [N, G·units]
    private Value Product(GraphBuilder nodes, Value parts, Value weight) =>
        Joined(nodes, nodes.Node("MatMul", [ByGroup(nodes, parts), weight]), Units);

    // [N, G, …] to [G, N, …] and back.
    private static Value ByGroup(GraphBuilder nodes, Value parts) => nodes.Node("Transpose", [parts], ("perm", new long[] { 1, 0, 2 }));

    private Value Joined(GraphBuilder nodes, Value byGroup, long size) =>
        nodes.Named("joined", "Reshape", [ByGroup(nodes, byGroup), nodes.Integers(-1, Groups * size)]);

    private bool HasBias(LayerSite site) => Bias ?? !site.FeedsBatchNorm;
}

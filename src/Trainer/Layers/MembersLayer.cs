using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// An ensemble inside one network: <paramref name="Count"/> members of the same layers with weights and batch normalizations of their own,
/// side by side, and the mean of what they give. The first dense layer is one product for all members, the others are products by group.
/// </summary>
/// <param name="Count">How many members there are; at least 2.</param>
/// <param name="Body">The layers of one member; takes the shape that comes in.</param>
/// <param name="Shared">
/// Whether the weights of all dense layers but the last are one for all members, each with scales of its own
/// (<see cref="SharedDenseLayer"/>).
/// </param>
internal sealed record MembersLayer(int Count, LayerStack Body, bool Shared = false) : Layer
{
    private readonly LayerStack _side = Expand(Count, Body, Shared);

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
    /// <param name="input">The shape.</param>
    /// <param name="before">Layers that each member has in front of its own.</param>
    public MembersLayer For(SampleShape input, params IEnumerable<Layer> before) =>
        new(Count, new LayerStack(input, [.. before, .. Body.Sites.Select(site => site.Layer)]), Shared) { Name = Name };

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

    private static LayerStack Expand(int count, LayerStack body, bool shared)
    {
        if (count < 2) throw new ArgumentException($"An ensemble has at least 2 members, but {count} are asked for.");
        if (body.Sites.Count == 0) throw new ArgumentException("The members have no layers.");
        if (!body.InputShape.IsVector) throw new ArgumentException($"Members take rows of shape [C], but get {body.InputShape}.");
        var layers = new List<Layer>();
        var isShared = true;
        var last = body.Sites.LastOrDefault(site => site.Layer is DenseLayer);
        if (shared && body.Sites.FirstOrDefault(site => site.Layer is DenseLayer) == last)
            throw new ArgumentException(
                "Members that share weights have at least two dense layers, since the last one is each member's own; add a hidden layer.");
        foreach (var site in body.Sites)
        {
            var side = shared && site != last && site.Layer is DenseLayer dense
                ? SharedDenseLayer.Of(dense, count, isShared)
                : site.Layer.SideBySide(count, isShared);
            layers.Add(side with { Name = site.Name });
            isShared &= site.Layer is not (DenseLayer or PeriodicLayer or EmbeddingLayer);
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
        var comesGrouped = graph.GroupsOf(x) == Groups;
        var staysGrouped = graph.OwnOperators && !HasBias(site) && site.FeedsBatchNorm;
        var parts = comesGrouped ? x : nodes.Node("Reshape", [x, nodes.Integers(-1, Groups, inputs)]);
        var product = nodes.Named("product", "MatMul", [comesGrouped ? x : ByGroup(nodes, parts), weight]);
        var y = staysGrouped ? product : Joined(nodes, product, Units);
        if (staysGrouped) graph.MarkGrouped(y, Groups);
        if (HasBias(site)) y = nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var byGroup = staysGrouped ? dy : ByGroup(nodes, nodes.Node("Reshape", [dy, nodes.Integers(-1, Groups, Units)]));
            var transposed = nodes.Node("Transpose", [parts], ("perm", comesGrouped ? new long[] { 0, 2, 1 } : [1, 2, 0]));
            graph.SetGradient(site, "weight", Gradient.Of(nodes.Named("gradient", "MatMul", [transposed, byGroup])));
            if (HasBias(site)) graph.SetGradient(site, "bias", Gradient.Of(graph.SumOverRows(dy)));
            if (!inputNeeded) return Value.None;
            var back = nodes.Node("Transpose", [weight], ("perm", new long[] { 0, 2, 1 }));
            var dx = nodes.Node("MatMul", [byGroup, back]);
            return comesGrouped ? dx : Joined(nodes, dx, inputs);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var parts = nodes.Node("Reshape", [x, nodes.Integers(-1, Groups, site.Input.Channels / Groups)]);
        var y = Joined(nodes, nodes.Node("MatMul", [ByGroup(nodes, parts), graph.Parameter(site, "weight")]), Units);
        return HasBias(site) ? nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]) : y;
    }

    // [N, G, …] to [G, N, …] and back.
    private static Value ByGroup(GraphBuilder nodes, Value parts) => nodes.Node("Transpose", [parts], ("perm", new long[] { 1, 0, 2 }));

    private Value Joined(GraphBuilder nodes, Value byGroup, long size) =>
        nodes.Named("joined", "Reshape", [ByGroup(nodes, byGroup), nodes.Integers(-1, Groups * size)]);

    private bool HasBias(LayerSite site) => Bias ?? !site.FeedsBatchNorm;
}

/// <summary>
/// A dense layer of several members that share its weights, each with scales of its own: <c>y = ((x∘r)·W)∘s + b</c> for each member, with
/// <c>W</c> of shape <c>[C, units]</c> (BatchEnsemble, Wen et al. 2020, arXiv 2002.06715; first scales as in TabM, Gorishniy et al. 2025,
/// arXiv 2410.24210: random signs where all members still have the same input, ones behind).
/// </summary>
/// <param name="Members">How many members there are.</param>
/// <param name="Units">The outputs of each.</param>
/// <param name="IsFirst">Whether all members have the same input, <c>[C]</c>, rather than each its own part of <c>[members·C]</c>.</param>
internal sealed record SharedDenseLayer(int Members, int Units, bool IsFirst) : Layer
{
    private static readonly Initializer Signs = Initializer.Custom("signs", (values, _, random) =>
    {
        for (var i = 0; i < values.Length; i++) values[i] = random.Next(2) == 0 ? -1 : 1;
    });

    /// <summary>Whether to add a bias; null (the default) = unless a batch normalization follows, which would undo it.</summary>
    public bool? Bias { get; init; }

    /// <summary>The first values of the weights; null (the default) = He before a relu kind, Glorot otherwise.</summary>
    public Initializer? WeightInitializer { get; init; }

    /// <inheritdoc/>
    public override string Kind => "shareddense";

    /// <summary>The layer of all members, given that of one.</summary>
    public static SharedDenseLayer Of(DenseLayer one, int members, bool isFirst) =>
        new(members, one.Units, isFirst) { Bias = one.Bias, WeightInitializer = one.WeightInitializer };

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector && (IsFirst || input.Channels % Members == 0)
        ? new SampleShape(Members * (long)Units)
        : throw new ArgumentException($"A dense layer shared by {Members} members takes rows of {Members} equal parts, but gets {input}.");

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        var (inputs, outputs) = (Inputs(site), Members * (long)Units);
        yield return new Parameter("weight", [inputs, Units], ParameterRole.Weight, WeightInitializer ?? site.FirstWeights);
        yield return new Parameter("inputScale", [Members, inputs], ParameterRole.Affine, IsFirst ? Signs : Initializer.Ones);
        yield return new Parameter("outputScale", [outputs], ParameterRole.Affine, Initializer.Ones);
        if (HasBias(site)) yield return new Parameter("bias", [outputs], ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// With u = x∘r, t = u·W and dt = dy∘s: ds = Σ dy∘t, db = Σ dy, dW = uᵀ·dt over rows and members, du = dt·Wᵀ, dr = Σ du∘x, dx = du∘r,
    /// summed over the members where they have the same x.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var (inputs, outputs) = (Inputs(site), Members * (long)Units);
        var (weight, inputScale) = (graph.Parameter(site, "weight"), graph.Parameter(site, "inputScale"));
        var outputScale = graph.Parameter(site, "outputScale");
        var byMember = ByMember(nodes, site, x);
        var scaled = Flat(nodes, nodes.Node("Mul", [byMember, inputScale]), inputs);
        var product = Flat(nodes, nodes.Node("MatMul", [scaled, weight]), outputs);
        var y = nodes.Named("y", "Mul", [product, outputScale]);
        if (HasBias(site)) y = nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "outputScale", Gradient.Of(graph.SumOverRows(nodes.Node("Mul", [dy, product]))));
            if (HasBias(site)) graph.SetGradient(site, "bias", Gradient.Of(graph.SumOverRows(dy)));
            var dProduct = Flat(nodes, nodes.Node("Mul", [dy, outputScale]), Units);
            graph.SetGradient(site, "weight", Gradient.Product(scaled, dProduct));
            var back = nodes.Named("dScaled", "Gemm", [dProduct, weight], ("transB", 1));
            var dScaled = nodes.Node("Reshape", [back, nodes.Integers(-1, Members, inputs)]);
            var sum = graph.SumOverRows(Flat(nodes, nodes.Node("Mul", [dScaled, byMember]), Members * inputs));
            graph.SetGradient(site, "inputScale", Gradient.Of(nodes.Node("Reshape", [sum, nodes.Integers(Members, inputs)])));
            if (!inputNeeded) return Value.None;
            var dx = nodes.Node("Mul", [dScaled, inputScale]);
            return IsFirst ? nodes.ReduceSum(dx, keepAxes: false, 1) : Flat(nodes, dx, Members * inputs);
        });
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Where all members have the same input, their scales go into the weights, <c>[C, members·units]</c>: one product, which what stands
    /// in front and behind can be folded into.
    /// </remarks>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        if (IsFirst)
        {
            var inputs = Inputs(site);
            var scale = nodes.Node("Transpose", [graph.Parameter(site, "inputScale")], ("perm", new long[] { 1, 0 }));
            var scales = nodes.Node("Reshape", [scale, nodes.Integers(inputs, Members, 1)]);
            var weight = nodes.Node("Reshape", [graph.Parameter(site, "weight"), nodes.Integers(inputs, 1, Units)]);
            var ofAll = nodes.Node("Reshape", [nodes.Node("Mul", [scales, weight]), nodes.Integers(inputs, Members * (long)Units)]);
            var weights = nodes.Named("weights", "Mul", [ofAll, graph.Parameter(site, "outputScale")]);
            return HasBias(site)
                ? nodes.Named("y", "Gemm", [x, weights, graph.Parameter(site, "bias")])
                : nodes.Named("y", "MatMul", [x, weights]);
        }

        var scaled = nodes.Node("Mul", [ByMember(nodes, site, x), graph.Parameter(site, "inputScale")]);
        var product = nodes.Node("MatMul", [Flat(nodes, scaled, Inputs(site)), graph.Parameter(site, "weight")]);
        var outputs = Members * Units;
        var y = nodes.Named("y", "Mul", [Flat(nodes, product, outputs), graph.Parameter(site, "outputScale")]);
        if (HasBias(site)) return nodes.Named("y", "Add", [y, graph.Parameter(site, "bias")]);

        // A place for what a batch normalization behind it adds once it is folded: weights of several members have none.
        return site.Following is [{ IsBatchNorm: true }, ..]
            ? nodes.Named("y", "Add", [y, nodes.Initializer(TensorData.Create("shift", new float[outputs], outputs))])
            : y;
    }

    private long Inputs(LayerSite site) => IsFirst ? site.Input.Channels : site.Input.Channels / Members;

    // [N, C] to [N, 1, C], [N, members·C] to [N, members, C]
    private Value ByMember(GraphBuilder nodes, LayerSite site, Value x) =>
        nodes.Node("Reshape", [x, nodes.Integers(-1, IsFirst ? 1 : Members, Inputs(site))]);

    private static Value Flat(GraphBuilder nodes, Value value, long width) => nodes.Node("Reshape", [value, nodes.Integers(-1, width)]);

    private bool HasBias(LayerSite site) => Bias ?? !site.FeedsBatchNorm;
}

using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// Batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167): each channel is shifted and scaled to mean 0 and variance 1 over the
/// mini-batch, then by a learned gamma and beta. At inference the running statistics take the place of the batch's. Takes rows of shape
/// <c>[C]</c>, <c>[C, L]</c> or <c>[C, H, W]</c>; all positions of a channel are normalized together (section 3.2).
/// </summary>
internal sealed record BatchNormLayer : Layer
{
    /// <inheritdoc cref="BatchNormOptions.Epsilon"/>
    public float Epsilon { get; init; } = 1e-5f;

    /// <inheritdoc cref="BatchNormOptions.Scale"/>
    public bool Scale { get; init; } = true;

    /// <inheritdoc cref="BatchNormOptions.Center"/>
    public bool Center { get; init; } = true;

    /// <inheritdoc cref="BatchNormOptions.ZeroGamma"/>
    public bool ZeroGamma { get; init; }

    /// <inheritdoc cref="BatchNormOptions.Frozen"/>
    public bool Frozen { get; init; }

    /// <inheritdoc cref="BatchNormOptions.GhostBatchSize"/>
    public int? GhostBatchSize { get; init; }

    /// <inheritdoc/>
    public override string Kind => "batchnorm";

    /// <inheritdoc/>
    public override bool IsBatchNorm => true;

    /// <inheritdoc/>
    public override bool NormalizesByBatch => !Frozen;

    /// <inheritdoc/>
    public override Layer SideBySide(int members, bool isShared) => this;

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input)
    {
        if (!(Epsilon >= 0 && float.IsFinite(Epsilon)))
            throw new ArgumentException($"Epsilon is a finite number from 0 (default 1e-5), but is {Epsilon}.");
        if (GhostBatchSize < 2)
            throw new ArgumentException($"A ghost batch has at least 2 rows, but {nameof(GhostBatchSize)} is {GhostBatchSize}.");
        if (ZeroGamma && !Scale)
            throw new ArgumentException($"{nameof(ZeroGamma)} says where gamma starts, but {nameof(Scale)} is off, so there is no gamma.");
        return input;
    }

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        long[] shape = [site.Input.Channels];
        if (Scale) yield return new Parameter("gamma", shape, ParameterRole.Affine, ZeroGamma ? Initializer.Zeros : Initializer.Ones);
        if (Center) yield return new Parameter("beta", shape, ParameterRole.Affine, Initializer.Zeros);
        yield return new Parameter("mean", shape, ParameterRole.Statistic, Initializer.Zeros);
        yield return new Parameter("variance", shape, ParameterRole.Statistic, Initializer.Ones);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Algorithm 1: μ = Σx/m, σ² = Σ(x−μ)²/m, y = γ·(x−μ)/√(σ²+ε) + β. Backward, with c = x−μ, i = 1/√(σ²+ε) and s = γ·i:
    /// dβ = Σdy, dγ = i·Σ(dy·c), dx = s·dy − c·s·i²·Σ(dy·c)/m − s·Σdy/m, which is the paper's (section 3) with x̂ = c·i put in.
    /// x̂ itself is never stored: that saves a pass over the batch in each direction.
    /// <para>
    /// Near 1e4 a float32 mean is only good to 1e-3, so c comes out with a mean that is not quite 0. One more sum over c finds it, and beta
    /// takes it off: y = c·s + (β − s·Σc/m). So a channel with mean 1e4 and variance 1 is normalized to 4 digits. Gradients do without.
    /// </para>
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        if (Frozen || graph.IsInference) return TrainFrozen(graph, site, x);
        if (graph.OwnOperators) return TrainOwn(graph, site, x);
        var nodes = graph.Nodes;
        var channels = ChannelReduction.Of(graph, site.Input, GhostBatchSize);
        var mean = channels.Mean("mean", x);
        var centered = nodes.Named("centered", "Sub", [x, channels.Spread(mean)]);
        var variance = channels.Mean("variance", nodes.Node("Mul", [centered, centered]));
        var invStd = InverseDeviation(nodes, variance);
        var scale = Scale ? nodes.Named("scale", "Mul", [graph.Parameter(site, "gamma"), invStd]) : invStd;
        var spreadScale = channels.Spread(scale);
        var scalePerValue = channels.PerValue("scalePerValue", scale);
        var residue = nodes.Named("residue", "Mul", [channels.Sum(centered), scalePerValue]);
        var shift = Center ? nodes.Named("shift", "Sub", [graph.Parameter(site, "beta"), residue]) : nodes.Named("shift", "Neg", [residue]);
        var y = nodes.Named("y", "Add", [nodes.Node("Mul", [centered, spreadScale]), channels.Spread(shift)]);
        graph.SetBatchStatistic(site, "mean", channels.MeanOfSlices(mean));
        graph.SetBatchStatistic(site, "variance", channels.MeanOfSlices(graph.UnbiasedVariance ? channels.Unbiased(variance) : variance));

        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var sumDy = channels.Sum(dy);
            var sumDyCentered = channels.Sum(nodes.Node("Mul", [dy, centered]));
            var dGamma = nodes.Named("dGamma", "Mul", [sumDyCentered, invStd]);
            if (Center) graph.SetGradient(site, "beta", Gradient.Of(channels.SumOfSlices(sumDy)));
            if (Scale) graph.SetGradient(site, "gamma", Gradient.Of(channels.SumOfSlices(dGamma)));
            if (!inputNeeded) return Value.None;

            var slope = nodes.Node("Mul", [nodes.Node("Mul", [scalePerValue, invStd]), dGamma]);
            var offset = nodes.Node("Mul", [scalePerValue, sumDy]);
            var direct = nodes.Node("Sub", [nodes.Node("Mul", [dy, spreadScale]), channels.Spread(offset)]);
            return nodes.Named("dx", "Sub", [direct, nodes.Node("Mul", [centered, channels.Spread(slope)])]);
        });
    }

    /// <inheritdoc/>
    /// <remarks>Algorithm 2: y = γ·(x−E)/√(Var+ε) + β, as one BatchNormalization node, which the folder then takes away.</remarks>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var gamma = Scale ? graph.Parameter(site, "gamma") : Fixed("gamma", 1);
        var beta = Center ? graph.Parameter(site, "beta") : Fixed("beta", 0);
        return nodes.Named(
            "y",
            "BatchNormalization",
            [x, gamma, beta, graph.Parameter(site, "mean"), graph.Parameter(site, "variance")],
            ("epsilon", Epsilon));

        Value Fixed(string name, float value)
        {
            var values = new float[site.Input.Channels];
            Array.Fill(values, value);
            return nodes.Initializer(TensorData.Create(name, values, values.Length));
        }
    }

    // E and Var are constants here, so the layer is affine: y = s·(x−E) + β, dβ = Σdy, dγ = i·Σ(dy·(x−E)), dx = s·dy.
    private Differentiable TrainFrozen(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var channels = ChannelReduction.Of(graph, site.Input);
        var mean = graph.Parameter(site, "mean");
        var variance = graph.Parameter(site, "variance");
        var centered = nodes.Named("centered", "Sub", [x, channels.Spread(mean)]);
        var invStd = InverseDeviation(nodes, variance);
        var scale = channels.Spread(Scale ? nodes.Named("scale", "Mul", [graph.Parameter(site, "gamma"), invStd]) : invStd);
        var y = nodes.Node("Mul", [centered, scale]);
        if (Center) y = nodes.Named("y", "Add", [y, ChannelReduction.Column(nodes, graph.Parameter(site, "beta"), site.Input)]);

        // The running statistics move towards themselves: they stay.
        graph.SetBatchStatistic(site, "mean", mean);
        graph.SetBatchStatistic(site, "variance", variance);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            if (Center) graph.SetGradient(site, "beta", Gradient.Of(channels.Sum(dy)));
            if (Scale)
                graph.SetGradient(
                    site, "gamma", Gradient.Of(nodes.Named("dGamma", "Mul", [channels.Sum(nodes.Node("Mul", [dy, centered])), invStd])));
            return inputNeeded ? nodes.Named("dx", "Mul", [dy, scale]) : Value.None;
        });
    }

    // The same as one node in each direction, and the activation behind it in the same passes. Values that come group by group, or go on
    // so, are turned on the way.
    private Differentiable TrainOwn(TrainingGraph graph, LayerSite site, Value x)
    {
        var activation = site.Following is [ActivationLayer { Function: { Function: not null } function }, ..] ? function : null;
        var form = new BatchNormForm(
            site.Input.Sizes,
            GhostBatchSize ?? 0,
            activation?.Function ?? LaneFunction.Identity,
            activation?.Slope ?? 0,
            graph.GroupsOf(x),
            site.Following.Skip(activation is null ? 0 : 1).SkipWhile(layer => layer is DropoutLayer).FirstOrDefault()
                is GroupedDenseLayer next ? next.Groups : 1);
        NodeArgument[] ranks = [];
        if (graph.StatisticsRanks is { } all)
        {
            if (GhostBatchSize is not null)
                throw new ArgumentException(
                    $"'{site.Name}' normalizes slices of a mini-batch by themselves (GhostBatchSize), but SyncStatistics asks for the "
                    + "mini-batches of all ranks together; take one of them.");
            ranks = [("ranks", all.Key)];
        }

        var outputs = graph.Own(
            ranks.Length > 0 ? BatchNormOperator.OfRanks : BatchNormOperator.Name,
            [x, Scale ? graph.Parameter(site, "gamma") : Value.None, Center ? graph.Parameter(site, "beta") : Value.None],
            ["y", "saved", "mean", "variance"],
            [.. form.Attributes, ("epsilon", Epsilon), ("unbiased", graph.UnbiasedVariance ? 1 : 0), .. ranks]);
        var y = outputs[0];
        if (activation is not null) graph.MarkActivated(y);
        if (form.OutputGroups > 1) graph.MarkGrouped(y, form.OutputGroups);
        graph.SetBatchStatistic(site, "mean", outputs[2]);
        graph.SetBatchStatistic(site, "variance", outputs[3]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var gradients = graph.Own(
                ranks.Length > 0 ? BatchNormGradientOperator.OfRanks : BatchNormGradientOperator.Name,
                form.NeedsOutput ? [dy, x, outputs[1], y] : [dy, x, outputs[1]],
                [inputNeeded ? "dx" : string.Empty, Scale ? "dGamma" : string.Empty, Center ? "dBeta" : string.Empty],
                [.. form.Attributes, .. ranks]);
            if (Scale) graph.SetGradient(site, "gamma", Gradient.Of(gradients[1]));
            if (Center) graph.SetGradient(site, "beta", Gradient.Of(gradients[2]));
            return gradients[0];
        });
    }

    // 1/√(σ²+ε)
    private Value InverseDeviation(GraphBuilder nodes, Value variance) =>
        nodes.Named("invStd", "Reciprocal", [nodes.Node("Sqrt", [nodes.Node("Add", [variance, nodes.Constant(Epsilon)])])]);
}

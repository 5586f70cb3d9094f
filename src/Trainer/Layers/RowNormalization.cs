using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// What layer and group normalization share: each row's values, in groups, are shifted and scaled to mean 0 and variance 1. Nothing depends
/// on the other rows, so training and inference are the same.
/// </summary>
internal static class RowNormalization
{
    /// <summary>Emits x̂ = (x−μ)/√(σ²+ε) over groups of a row, in two passes, and its way back.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The rows, <c>[N, …]</c>.</param>
    /// <param name="shape">The shape of a row.</param>
    /// <param name="groups">The groups, of M values one behind the other.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <remarks>
    /// With i = 1/√(σ²+ε): dx = i·(dx̂ − Σdx̂/M − x̂·Σ(dx̂·x̂)/M) (Ba et al. 2016, arXiv 1607.06450, with the sums of a row).
    /// </remarks>
    public static Differentiable Emit(GraphBuilder nodes, Value x, SampleShape shape, int groups, float epsilon)
    {
        var values = ToGroups(x);
        var mean = nodes.ReduceMean(values, keepAxes: true, 2);
        var centered = nodes.Named("centered", "Sub", [values, mean]);
        var variance = nodes.ReduceMean(nodes.Node("Mul", [centered, centered]), keepAxes: true, 2);
        var deviation = nodes.Named("std", "Sqrt", [nodes.Node("Add", [variance, nodes.Constant(epsilon)])]);
        var xHat = nodes.Node("Div", [centered, deviation]);
        return new Differentiable(ToRows("xHat", xHat), (dxHat, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            var slopes = ToGroups(dxHat);
            var along = nodes.ReduceMean(nodes.Node("Mul", [slopes, xHat]), keepAxes: true, 2);
            var free = nodes.Node("Sub", [slopes, nodes.ReduceMean(slopes, keepAxes: true, 2)]);
            var inner = nodes.Node("Sub", [free, nodes.Node("Mul", [xHat, along])]);
            return ToRows("dx", nodes.Node("Div", [inner, deviation]));
        });

        Value ToGroups(Value rows) => nodes.Node("Reshape", [rows, nodes.Integers(-1, groups, shape.Count / groups)]);
        Value ToRows(string name, Value grouped) => nodes.Named(name, "Reshape", [grouped, nodes.Integers([-1, .. shape.Sizes])]);
    }
}

/// <summary>
/// Layer normalization (Ba et al. 2016, arXiv 1607.06450): each row is shifted and scaled to mean 0 and variance 1 over all its values,
/// then by a learned gamma and beta for every value. It does not look at other rows, so it is the answer where batches are tiny.
/// </summary>
internal sealed record LayerNormLayer : Layer
{
    /// <summary>Added to the variance under the root. Default: 1e-5.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string Kind => "layernorm";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => Epsilon >= 0 && float.IsFinite(Epsilon)
        ? input
        : throw new ArgumentException($"Epsilon is a finite number from 0 (default 1e-5), but is {Epsilon}.");

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        yield return new Parameter("gamma", site.Input.Sizes, ParameterRole.Affine, Initializer.Ones);
        yield return new Parameter("beta", site.Input.Sizes, ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>y = γ·x̂ + β with x̂ over the whole row; dβ = Σ dy and dγ = Σ dy·x̂ over the rows; dx̂ = γ·dy.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var gamma = graph.Parameter(site, "gamma");
        var normalized = RowNormalization.Emit(nodes, x, site.Input, 1, Epsilon);
        var y = nodes.Named("y", "Add", [nodes.Node("Mul", [normalized.Output, gamma]), graph.Parameter(site, "beta")]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "beta", Gradient.Of(Sum(dy)));
            graph.SetGradient(site, "gamma", Gradient.Of(Sum(nodes.Node("Mul", [dy, normalized.Output]))));
            return inputNeeded ? normalized.Backward(nodes.Node("Mul", [dy, gamma]), true) : Value.None;
        });

        Value Sum(Value rows)
        {
            if (site.Input.IsVector) return graph.SumOverRows(rows);
            var flat = graph.SumOverRows(nodes.Node("Reshape", [rows, nodes.Integers(-1, site.Input.Count)]));
            return nodes.Node("Reshape", [flat, nodes.Integers([.. site.Input.Sizes])]);
        }
    }

    /// <inheritdoc/>
    /// <remarks>LayerNormalization from operator set 17 on, primitive operators before.</remarks>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var gamma = graph.Parameter(site, "gamma");
        var beta = graph.Parameter(site, "beta");
        if (nodes.Opset >= 17) return nodes.Named("y", "LayerNormalization", [x, gamma, beta], ("axis", 1), ("epsilon", Epsilon));
        var normalized = RowNormalization.Emit(nodes, x, site.Input, 1, Epsilon).Output;
        return nodes.Named("y", "Add", [nodes.Node("Mul", [normalized, gamma]), beta]);
    }
}

/// <summary>
/// Group normalization (Wu and He 2018, arXiv 1803.08494): in each row, groups of channels are shifted and scaled to mean 0 and variance 1
/// over all their values, then by a learned gamma and beta for each channel. Like layer normalization it does not look at other rows.
/// </summary>
/// <param name="Groups">
/// The groups that the channels are divided into; 1 takes the whole row, as many as channels takes each by itself.
/// </param>
internal sealed record GroupNormLayer(int Groups) : Layer
{
    /// <summary>Added to the variance under the root. Default: 1e-5.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string Kind => "groupnorm";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input)
    {
        if (Groups < 1 || input.Channels % Groups != 0)
            throw new ArgumentException($"{Groups} groups do not divide the {input.Channels} channels of {input}.");
        if (!(Epsilon >= 0 && float.IsFinite(Epsilon)))
            throw new ArgumentException($"Epsilon is a finite number from 0 (default 1e-5), but is {Epsilon}.");
        return input;
    }

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        yield return new Parameter("gamma", [site.Input.Channels], ParameterRole.Affine, Initializer.Ones);
        yield return new Parameter("beta", [site.Input.Channels], ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>y = γ·x̂ + β with x̂ over each group; dβ = Σ dy and dγ = Σ dy·x̂ over rows and positions; dx̂ = γ·dy.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var channels = ChannelReduction.Of(graph, site.Input);
        var gamma = channels.Spread(graph.Parameter(site, "gamma"));
        var beta = channels.Spread(graph.Parameter(site, "beta"));
        var normalized = RowNormalization.Emit(nodes, x, site.Input, Groups, Epsilon);
        var y = nodes.Named("y", "Add", [nodes.Node("Mul", [normalized.Output, gamma]), beta]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "beta", Gradient.Of(channels.Sum(dy)));
            graph.SetGradient(site, "gamma", Gradient.Of(channels.Sum(nodes.Node("Mul", [dy, normalized.Output]))));
            return inputNeeded ? normalized.Backward(nodes.Node("Mul", [dy, gamma]), true) : Value.None;
        });
    }

    /// <inheritdoc/>
    /// <remarks>
    /// GroupNormalization from operator set 21 on (that of 18 has a gamma for each group and was withdrawn), primitive operators before.
    /// </remarks>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var gamma = graph.Parameter(site, "gamma");
        var beta = graph.Parameter(site, "beta");
        if (nodes.Opset >= 21 && !site.Input.IsVector)
            return nodes.Named("y", "GroupNormalization", [x, gamma, beta], ("num_groups", Groups), ("epsilon", Epsilon));
        var normalized = RowNormalization.Emit(nodes, x, site.Input, Groups, Epsilon).Output;
        var scaled = nodes.Node("Mul", [normalized, ChannelReduction.Column(nodes, gamma, site.Input)]);
        return nodes.Named("y", "Add", [scaled, ChannelReduction.Column(nodes, beta, site.Input)]);
    }
}

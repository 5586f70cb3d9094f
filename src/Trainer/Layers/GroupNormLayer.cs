using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Group normalization (Wu and He 2018, arXiv 1803.08494): in each row, groups of channels are shifted and scaled to mean 0 and variance 1
/// over all their values, then by a learned gamma and beta for each channel. Like layer normalization it does not look at other rows.
/// </summary>
/// <param name="Groups">The groups that the channels are divided into; 1 takes the whole row, as many as channels takes each by itself.</param>
public sealed record GroupNormLayer(int Groups) : Layer
{
    /// <summary>Added to the variance under the root. Default: 1e-5.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string Kind => "groupnorm";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input)
    {
        if (Groups < 1 || input.Channels % Groups != 0) throw new ArgumentException($"{Groups} groups do not divide the {input.Channels} channels of {input}.");
        if (!(Epsilon >= 0 && float.IsFinite(Epsilon))) throw new ArgumentException($"Epsilon is a finite number from 0 (default 1e-5), but is {Epsilon}.");
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

using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167): each channel is shifted and scaled to mean 0 and variance 1 over the
/// mini-batch, then by a learned gamma and beta. At inference the running statistics take the place of the batch's.
/// </summary>
public sealed record BatchNormLayer : Layer
{
    /// <summary>Added to the variance under the root. Default: 1e-5, as PyTorch (Keras: 1e-3).</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string Kind => "batchnorm";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input;

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        long[] shape = [site.Input.Channels];
        yield return new Parameter("gamma", shape, ParameterRole.Affine, Initializer.Ones);
        yield return new Parameter("beta", shape, ParameterRole.Affine, Initializer.Zeros);
        yield return new Parameter("mean", shape, ParameterRole.Statistic, Initializer.Zeros);
        yield return new Parameter("variance", shape, ParameterRole.Statistic, Initializer.Ones);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Algorithm 1: μ = Σx/m, σ² = Σ(x−μ)²/m, y = γ·(x−μ)/√(σ²+ε) + β. Backward, with c = x−μ, i = 1/√(σ²+ε) and s = γ·i:
    /// dβ = Σdy, dγ = i·Σ(dy·c), dx = s·dy − c·s·i²·Σ(dy·c)/m − s·Σdy/m, which is the paper's (section 3) with x̂ = c·i put in.
    /// x̂ itself is never stored: that saves a pass over the batch in each direction.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var gamma = graph.Parameter(site, "gamma");
        var beta = graph.Parameter(site, "beta");
        var mean = graph.MeanOverRows(x, "mean");
        var centered = nodes.Named("centered", "Sub", [x, mean]);
        var variance = graph.MeanOverRows(nodes.Node("Mul", [centered, centered]), "variance");
        var invStd = nodes.Named("invStd", "Reciprocal", [nodes.Node("Sqrt", [nodes.Node("Add", [variance, nodes.Constant(Epsilon)])])]);
        var scale = nodes.Named("scale", "Mul", [gamma, invStd]);
        var y = nodes.Named("y", "Add", [nodes.Node("Mul", [centered, scale]), beta]);
        graph.SetBatchStatistic(site, "mean", mean, isVariance: false);
        graph.SetBatchStatistic(site, "variance", variance, isVariance: true);

        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var sumDy = graph.SumOverRows(dy);
            var sumDyCentered = graph.SumOverRows(nodes.Node("Mul", [dy, centered]));
            var dGamma = nodes.Named("dGamma", "Mul", [sumDyCentered, invStd]);
            graph.SetGradient(site, "beta", Gradient.Of(sumDy));
            graph.SetGradient(site, "gamma", Gradient.Of(dGamma));
            if (!inputNeeded) return Value.None;

            var scalePerRow = nodes.Node("Mul", [scale, graph.InverseRows]);
            var slope = nodes.Node("Mul", [nodes.Node("Mul", [scalePerRow, invStd]), dGamma]);
            var offset = nodes.Node("Mul", [scalePerRow, sumDy]);
            var direct = nodes.Node("Sub", [nodes.Node("Mul", [dy, scale]), offset]);
            return nodes.Named("dx", "Sub", [direct, nodes.Node("Mul", [centered, slope])]);
        });
    }

    /// <inheritdoc/>
    /// <remarks>Algorithm 2: y = γ·(x−E)/√(Var+ε) + β, as one BatchNormalization node, which the folder then takes away.</remarks>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        graph.Nodes.Named("y", "BatchNormalization", [
            x, graph.Parameter(site, "gamma"), graph.Parameter(site, "beta"), graph.Parameter(site, "mean"), graph.Parameter(site, "variance"),
        ], ("epsilon", Epsilon));
}

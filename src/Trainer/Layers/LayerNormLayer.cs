using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Layer normalization (Ba et al. 2016, arXiv 1607.06450): each row is shifted and scaled to mean 0 and variance 1 over all its values, then
/// by a learned gamma and beta for every value. It does not look at other rows, so it is the answer where batches are tiny.
/// </summary>
public sealed record LayerNormLayer : Layer
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

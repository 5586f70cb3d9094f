using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// A residual block: <c>y = body(x) + x</c>, or <c>+ projection(x)</c> where the body changes the shape (He et al. 2015, arXiv 1512.03385).
/// The activation behind the sum is a layer of its own. With <see cref="BatchNormLayer.ZeroGamma"/> on the body's last batch normalization
/// the block starts as the identity.
/// </summary>
/// <param name="Body">The layers of the block; takes the shape that comes in.</param>
internal sealed record ResidualLayer(LayerStack Body) : Layer
{
    /// <summary>The layers of the way around, usually a convolution or dense layer with a batch normalization; null = none.</summary>
    public LayerStack? Projection { get; init; }

    /// <inheritdoc/>
    public override string Kind => "residual";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input)
    {
        if (!Body.InputShape.Equals(input))
            throw new ArgumentException($"The body takes rows of shape {Body.InputShape}, but gets {input}.");
        if (Projection is not null && !Projection.InputShape.Equals(input))
            throw new ArgumentException($"The projection takes rows of shape {Projection.InputShape}, but gets {input}.");
        var around = Projection?.OutputShape ?? input;
        return Body.OutputShape.Equals(around)
            ? around
            : throw new ArgumentException(
                $"The body gives {Body.OutputShape}, but the way around it gives {around}, and the two are added; "
                + (Projection is null ? "give a projection." : "make them the same."));
    }

    /// <inheritdoc/>
    public override IReadOnlyList<LayerSite> InnerSites(LayerSite site) => [.. BodySites(site), .. ProjectionSites(site)];

    /// <inheritdoc/>
    /// <remarks>dx is the sum of what comes back through the body and around it.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var body = graph.Train(BodySites(site), x);
        var around = graph.Train(ProjectionSites(site), x);
        var y = nodes.Named("y", "Add", [body.Output, around.Output]);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var throughBody = body.Backward(dy, inputNeeded);
            var throughProjection = around.Backward(dy, inputNeeded);
            return inputNeeded ? nodes.Named("dx", "Add", [throughBody, throughProjection]) : Value.None;
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        graph.Nodes.Named("y", "Add", [graph.Infer(BodySites(site), x), graph.Infer(ProjectionSites(site), x)]);

    private IReadOnlyList<LayerSite> BodySites(LayerSite site) => Body.SitesInside(site.Name);

    private IReadOnlyList<LayerSite> ProjectionSites(LayerSite site) => Projection?.SitesInside($"{site.Name}/projection") ?? [];
}

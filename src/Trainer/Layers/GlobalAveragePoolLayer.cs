using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>The mean of every channel over all its positions: <c>[C, …]</c> to <c>[C]</c> (Lin et al. 2013, arXiv 1312.4400, section 3.2).</summary>
public sealed record GlobalAveragePoolLayer : Layer
{
    /// <inheritdoc/>
    public override string Kind => "globalaveragepool";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => input.IsVector
        ? throw new ArgumentException($"A global average pooling takes rows of shape [C, L] or [C, H, W], but gets {input}.")
        : new SampleShape(input.Channels);

    /// <inheritdoc/>
    /// <remarks>y = Σx/P, dx = dy/P at every one of the P positions.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        var y = Pool(nodes, x);
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            var share = nodes.Node("Mul", [dy, nodes.Constant(1f / site.Input.Positions)]);
            long[] column = [-1, site.Input.Channels, .. site.Input.Sizes.Skip(1).Select(_ => 1L)];
            long[] sizes = [1, .. site.Input.Sizes];
            return nodes.Named("dx", "Expand", [nodes.Node("Reshape", [share, nodes.Integers(column)]), nodes.Integers(sizes)]);
        });
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => Pool(graph.Nodes, x);

    private static Value Pool(GraphBuilder nodes, Value x) =>
        nodes.Named("y", "Flatten", [nodes.Node("GlobalAveragePool", [x])], ("axis", 1));
}

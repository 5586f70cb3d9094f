using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>The mean of each window, zeros of the padding included (as PyTorch's default); takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
/// <param name="Size">The window's size along each axis.</param>
public sealed record AveragePoolLayer(int Size) : PoolingLayer(Size)
{
    /// <inheritdoc/>
    public override string Kind => "averagepool";

    /// <inheritdoc/>
    /// <remarks>y = Σx/K over a window of K positions; backward each dy goes to its K positions as dy/K: a transposed convolution of every channel by itself.</remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        return new Differentiable(Pool(nodes, site, x), (dy, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            var kernel = Kernel(site.Input);
            var count = kernel.Aggregate(1, (product, size) => product * size);
            var shares = new float[count];
            Array.Fill(shares, 1f / count);
            var weight = nodes.Initializer(TensorData.Create("shares", shares, [1, 1, .. kernel.Select(size => (long)size)]));
            var rest = site.Input.Sizes.Skip(1).Select(size => (size + (2L * Padding) - Size) % Stride).ToArray();
            var slopes = nodes.Node("Reshape", [dy, nodes.Integers([-1, 1, .. site.Output.Sizes.Skip(1)])]);
            var dx = nodes.Node("ConvTranspose", [slopes, weight], [.. Window(site), ("output_padding", rest)]);
            return nodes.Named("dx", "Reshape", [dx, nodes.Integers([-1, .. site.Input.Sizes])]);
        });
    }

    private protected override Value Pool(GraphBuilder nodes, LayerSite site, Value x) =>
        nodes.Named("y", "AveragePool", [x], [.. Window(site), ("count_include_pad", 1)]);
}

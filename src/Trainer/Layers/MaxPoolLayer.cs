using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>The largest value of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
/// <param name="Size">The window's size along each axis.</param>
public sealed record MaxPoolLayer(int Size) : PoolingLayer(Size)
{
    /// <inheritdoc/>
    public override string Kind => "maxpool";

    /// <inheritdoc/>
    /// <remarks>
    /// Backward each dy goes to the position that won its window. Where windows tile the input that is found by comparing the input with the
    /// winner, spread over its window; among equals dy is divided evenly (one of the subgradients; PyTorch gives all to the first, but equals are
    /// hardly ever other than the zeros of a relu, where nothing goes further). Elsewhere MaxPool says which position won, counted through
    /// the whole tensor, and where windows overlap one position may win several, whose dy add up.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        if (Tiles(site.Input))
        {
            var y = Pool(nodes, site, x);
            return new Differentiable(y, (dy, inputNeeded) => inputNeeded ? DivideAmongWinners(nodes, site, x, y, dy) : Value.None);
        }

        var outputs = nodes.Nodes("MaxPool", [x], 2, Window(site));
        return new Differentiable(outputs[0], (dy, inputNeeded) =>
        {
            if (!inputNeeded) return Value.None;
            if (Stride >= Size) return nodes.Named("dx", "MaxUnpool", [dy, outputs[1], nodes.Node("Shape", [x])], Window(site));
            var flat = nodes.Integers(-1);
            var zeros = nodes.Node("ConstantOfShape", [nodes.Node("Shape", [nodes.Node("Reshape", [x, flat])])]);
            var winners = nodes.Node("Reshape", [outputs[1], flat]);
            var slopes = nodes.Node("Reshape", [dy, flat]);
            var dx = nodes.Node("ScatterElements", [zeros, winners, slopes], ("axis", 0), ("reduction", "add"));
            return nodes.Named("dx", "Reshape", [dx, nodes.Integers([-1, .. site.Input.Sizes])]);
        });
    }

    private protected override Value Pool(GraphBuilder nodes, LayerSite site, Value x) => nodes.Named("y", "MaxPool", [x], Window(site));

    // Every position is in exactly one window.
    private bool Tiles(SampleShape input) => Stride == Size && Padding == 0 && input.Sizes.Skip(1).All(size => size % Size == 0);

    private Value DivideAmongWinners(GraphBuilder nodes, LayerSite site, Value x, Value y, Value dy)
    {
        // max(0, min(1, c·(x − y) + 1)) with the largest c there is: 1 where x is the maximum, 0 where it is less.
        var distance = nodes.Node("Sub", [x, SlidingWindow.Spread(nodes, y, site, Size)]);
        var won = nodes.Named("won", "HardSigmoid", [distance], ("alpha", float.MaxValue), ("beta", 1f));
        var share = nodes.Named("share", "AveragePool", [won], Window(site));
        var count = Math.Pow(Size, site.Input.Sizes.Count - 1);
        var slopes = nodes.Node("Div", [nodes.Node("Mul", [dy, nodes.Constant((float)(1 / count))]), share]);
        return nodes.Named("dx", "Mul", [won, SlidingWindow.Spread(nodes, slopes, site, Size)]);
    }
}

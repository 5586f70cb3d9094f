using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// What the poolings share: a window that slides over the positions of each channel; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.
/// </summary>
/// <param name="Size">The window's size along each axis.</param>
internal abstract record PoolingLayer(int Size) : Layer
{
    /// <summary>Positions from one window to the next. Default: the window's size.</summary>
    public int Stride { get; init; } = Size;

    /// <summary>
    /// Positions added at both ends of every axis, less than the window's size: they never win a maximum, and are zeros in a mean. Default:
    /// 0.
    /// </summary>
    public int Padding { get; init; }

    /// <inheritdoc/>
    public sealed override SampleShape OutputShape(SampleShape input) => Padding < Size
        ? SlidingWindow.OutputShape(input, input.Channels, Kernel(input), Stride, Padding)
        : throw new ArgumentException($"The padding of a pooling is less than its size, {Size}, but is {Padding}.");

    /// <inheritdoc/>
    public sealed override Value Infer(InferenceGraph graph, LayerSite site, Value x)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return Pool(graph.Nodes, site, x);
    }

    /// <summary>Emits the pooling, which is the same in training and at inference.</summary>
    private protected abstract Value Pool(GraphBuilder nodes, LayerSite site, Value x);

    private protected NodeArgument[] Window(LayerSite site) => SlidingWindow.Attributes(Kernel(site.Input), Stride, Padding);

    private protected int[] Kernel(SampleShape input) => [.. Enumerable.Repeat(Size, Math.Max(1, input.Sizes.Count - 1))];
}

/// <summary>The largest value of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
/// <param name="Size">The window's size along each axis.</param>
internal sealed record MaxPoolLayer(int Size) : PoolingLayer(Size)
{
    /// <inheritdoc/>
    public override string Kind => "maxpool";

    /// <inheritdoc/>
    /// <remarks>
    /// Backward each dy goes to the position that won its window. Where windows tile the input that is found by comparing the input with
    /// the winner, spread over its window; among equals dy is divided evenly (one of the subgradients; PyTorch gives all to the first, but
    /// equals are hardly ever other than the zeros of a relu, where nothing goes further). Elsewhere MaxPool says which position won,
    /// counted through the whole tensor, and where windows overlap one position may win several, whose dy add up.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
        if (Tiles(site.Input))
        {
            var y = Pool(nodes, site, x);
            return new Differentiable(y, (dy, inputNeeded) => !inputNeeded ? Value.None
                : !graph.OwnOperators ? DivideAmongWinners(nodes, site, x, y, dy)
                : graph.Own(
                    MaxPoolGradientOperator.Name, [dy, y, x], ["dx"], ("shape", site.Input.Sizes.ToArray()), ("size", Size))[0]);
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

/// <summary>
/// The mean of each window, zeros of the padding included (as PyTorch's default); takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.
/// </summary>
/// <param name="Size">The window's size along each axis.</param>
internal sealed record AveragePoolLayer(int Size) : PoolingLayer(Size)
{
    /// <inheritdoc/>
    public override string Kind => "averagepool";

    /// <inheritdoc/>
    /// <remarks>
    /// y = Σx/K over a window of K positions; backward each dy goes to its K positions as dy/K: a transposed convolution of every channel
    /// by itself.
    /// </remarks>
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

/// <summary>
/// The mean of every channel over all its positions: <c>[C, …]</c> to <c>[C]</c> (Lin et al. 2013, arXiv 1312.4400, section 3.2).
/// </summary>
internal sealed record GlobalAveragePoolLayer : Layer
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

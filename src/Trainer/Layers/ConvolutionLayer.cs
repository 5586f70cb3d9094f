using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// A convolution (cross-correlation, as everywhere in deep learning): rows <c>[C, L]</c> with a kernel of one size, or <c>[C, H, W]</c>
/// with one of two. Weights have the shape <c>[Channels, C/Groups, …kernel]</c>.
/// </summary>
/// <param name="Channels">The channels that come out.</param>
/// <param name="Kernel">The kernel's size along each axis.</param>
internal sealed record ConvolutionLayer(int Channels, IReadOnlyList<int> Kernel) : Layer
{
    /// <summary>Positions from one window to the next, along every axis. Default: 1.</summary>
    public int Stride { get; init; } = 1;

    /// <summary>Zeros added at both ends of every axis. Default: 0.</summary>
    public int Padding { get; init; }

    /// <summary>Groups of channels that do not see each other; as many as input channels = depthwise. Default: 1.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Whether to add a bias; null (the default) = unless a batch normalization follows, which would undo it.</summary>
    public bool? Bias { get; init; }

    /// <summary>The first values of the weights; null (the default) = He before a relu kind, Glorot otherwise.</summary>
    public Initializer? WeightInitializer { get; init; }

    /// <inheritdoc/>
    public override string Kind => "conv";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input)
    {
        if (Channels < 1 || Groups < 1)
            throw new ArgumentException($"Channels and groups are at least 1, but are {Channels} and {Groups}.");
        if (input.Channels % Groups != 0 || Channels % Groups != 0)
            throw new ArgumentException(
                $"{Groups} groups must divide the {input.Channels} channels that come in and the {Channels} that go out.");
        return SlidingWindow.OutputShape(input, Channels, Kernel, Stride, Padding);
    }

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters(LayerSite site)
    {
        long[] shape = [Channels, site.Input.Channels / Groups, .. Kernel.Select(size => (long)size)];
        yield return new Parameter("weight", shape, ParameterRole.Weight, WeightInitializer ?? site.FirstWeights);
        if (HasBias(site)) yield return new Parameter("bias", [Channels], ParameterRole.Affine, Initializer.Zeros);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// y[n,o] = Σ_{c,k} W[o,c,k]·x[n,c,s·p+k]. Backward: db = Σ dy over rows and positions; dx[n,c,q] = Σ_{o,k} W[o,c,k]·dy[n,o,(q−k)/s]
    /// where s divides q−k; and dW[o,c,k] = Σ_{n,p} dy[n,o,p]·x[n,c,s·p+k]. <see cref="ColumnConvolution"/> says when the products are laid
    /// out channels last.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var weight = graph.Parameter(site, "weight");
        var bias = HasBias(site) ? graph.Parameter(site, "bias") : Value.None;
        if (graph.OwnOperators && Groups == 1) return TrainOwn(graph, site, x, weight, bias);
        return ColumnConvolution.Suits(this, site)
            ? new ColumnConvolution(graph, site, this).Train(x, weight, bias)
            : TrainChannelsFirst(graph, site, x, weight, bias);
    }

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) =>
        Convolve(graph.Nodes, x, graph.Parameter(site, "weight"), HasBias(site) ? graph.Parameter(site, "bias") : Value.None);

    private NodeArgument[] Window => SlidingWindow.Attributes(Kernel, Stride, Padding);

    private Value Convolve(GraphBuilder nodes, Value x, Value weight, Value bias) =>
        nodes.Named("y", "Conv", bias.IsGiven ? [x, weight, bias] : [x, weight], [.. Window, ("group", Groups)]);

    private bool HasBias(LayerSite site) => Bias ?? !site.FeedsBatchNorm;

    /// <summary>Whether each output position reads one input position, itself.</summary>
    internal bool IsPointwise => Stride == 1 && Padding == 0 && Kernel.All(size => size == 1);

    private Differentiable TrainOwn(TrainingGraph graph, LayerSite site, Value x, Value weight, Value bias)
    {
        var form = ConvolutionForm.Of(site.Input, site.Output, Kernel, Stride, Padding);
        var y = graph.Own(
            ConvolutionOperator.Name, [x, weight, bias], ["y"], [.. form.Attributes, ("shape", site.Output.Sizes.ToArray())])[0];
        return new Differentiable(y, (dy, inputNeeded) =>
        {
            var gradients = graph.Own(
                ConvolutionGradientOperator.Name,
                [dy, x, weight],
                ["dWeight", inputNeeded ? "dx" : string.Empty],
                [
                    .. form.Attributes, ("shape", site.Input.Sizes.ToArray()),
                    ("weightShape", site.Parameters[0].Shape.ToArray()),
                ]);
            graph.SetGradient(site, "weight", Gradient.Of(gradients[0]));
            if (bias.IsGiven) graph.SetGradient(site, "bias", Gradient.Of(ChannelReduction.Of(graph, site.Output).Sum(dy)));
            return gradients[1];
        });
    }

    private Differentiable TrainChannelsFirst(TrainingGraph graph, LayerSite site, Value x, Value weight, Value bias)
    {
        var nodes = graph.Nodes;
        return new Differentiable(Convolve(nodes, x, weight, bias), (dy, inputNeeded) =>
        {
            graph.SetGradient(site, "weight", Gradient.Of(WeightGradient(graph, site, x, dy)));
            if (bias.IsGiven) graph.SetGradient(site, "bias", Gradient.Of(ChannelReduction.Of(graph, site.Output).Sum(dy)));
            if (!inputNeeded) return Value.None;
            if (IsPointwise) return nodes.Named("dx", "Conv", [dy, Transposed(nodes, site, weight)], [.. Window, ("group", Groups)]);

            // What the strides leave over at the far end of the input must come back as positions with gradient 0.
            var rest = site.Input.Sizes.Skip(1).Zip(Kernel, (size, kernel) => (size + (2L * Padding) - kernel) % Stride).ToArray();
            return nodes.Named("dx", "ConvTranspose", [dy, weight], [.. Window, ("group", Groups), ("output_padding", rest)]);
        });
    }

    // [O, C/g, 1, …] to [C, O/g, 1, …], group by group.
    private Value Transposed(GraphBuilder nodes, LayerSite site, Value weight)
    {
        var (perGroup, inputs) = (Channels / Groups, site.Input.Channels / Groups);
        var grouped = nodes.Node("Reshape", [weight, nodes.Integers(Groups, perGroup, inputs)]);
        var swapped = nodes.Node("Transpose", [grouped], ("perm", new long[] { 0, 2, 1 }));
        return nodes.Node("Reshape", [swapped, nodes.Integers([site.Input.Channels, perGroup, .. Kernel.Select(size => (long)size)])]);
    }

    // With g groups: dy as [N, g, O/g, P] times the columns [N, g, (C/g)·K, P] transposed gives [N, g, O/g, (C/g)·K], summed over the rows.
    private Value WeightGradient(TrainingGraph graph, LayerSite site, Value x, Value dy)
    {
        var nodes = graph.Nodes;
        var positions = site.Output.Positions;
        var columns = nodes.Node("Reshape", [
            SlidingWindow.Columns(nodes, x, site, Kernel, Stride, Padding),
            nodes.Integers(-1, Groups, site.Input.Channels / Groups * Kernel.Aggregate(1L, (product, size) => product * size), positions),
        ]);
        var slopes = nodes.Node("Reshape", [dy, nodes.Integers(-1, Groups, Channels / Groups, positions)]);
        var products = nodes.Node("MatMul", [slopes, nodes.Node("Transpose", [columns], ("perm", new long[] { 0, 1, 3, 2 }))]);
        var parameter = site.Parameters[0];
        var sum = graph.SumOverRows(nodes.Node("Reshape", [products, nodes.Integers(-1, parameter.Count)]));
        return nodes.Named("dWeight", "Reshape", [sum, nodes.Integers([.. parameter.Shape])]);
    }
}

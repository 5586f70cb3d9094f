using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>What the poolings share: a window that slides over the positions of each channel; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
/// <param name="Size">The window's size along each axis.</param>
public abstract record PoolingLayer(int Size) : Layer
{
    /// <summary>Positions from one window to the next. Default: the window's size.</summary>
    public int Stride { get; init; } = Size;

    /// <summary>
    /// Positions added at both ends of every axis, less than the window's size: they never win a maximum, and are zeros in a mean. Default: 0.
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

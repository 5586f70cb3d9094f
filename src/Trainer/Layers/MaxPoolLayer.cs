using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>The largest value of each window; takes rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
/// <param name="Size">The window's size along each axis.</param>
public sealed record MaxPoolLayer(int Size) : Layer
{
    /// <summary>Positions from one window to the next. Default: the window's size.</summary>
    public int Stride { get; init; } = Size;

    /// <summary>Positions added at both ends of every axis, which never win; less than the window's size. Default: 0.</summary>
    public int Padding { get; init; }

    /// <inheritdoc/>
    public override string Kind => "maxpool";

    /// <inheritdoc/>
    public override SampleShape OutputShape(SampleShape input) => Padding < Size
        ? SlidingWindow.OutputShape(input, input.Channels, Kernel(input), Stride, Padding)
        : throw new ArgumentException($"The padding of a pooling is less than its size, {Size}, but is {Padding}.");

    /// <inheritdoc/>
    /// <remarks>
    /// Backward each dy goes to the position that won its window; MaxPool says which, counted through the whole tensor. Where windows overlap
    /// one position may win several, and their dy add up; where they do not, MaxUnpool puts each in its place.
    /// </remarks>
    public override Differentiable Train(TrainingGraph graph, LayerSite site, Value x)
    {
        var nodes = graph.Nodes;
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

    /// <inheritdoc/>
    public override Value Infer(InferenceGraph graph, LayerSite site, Value x) => graph.Nodes.Named("y", "MaxPool", [x], Window(site));

    private NodeArgument[] Window(LayerSite site) => SlidingWindow.Attributes(Kernel(site.Input), Stride, Padding);

    private int[] Kernel(SampleShape input) => [.. Enumerable.Repeat(Size, Math.Max(1, input.Sizes.Count - 1))];
}

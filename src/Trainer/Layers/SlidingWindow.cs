using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>What convolutions and poolings share: windows that slide over the positions of a row.</summary>
internal static class SlidingWindow
{
    /// <summary>The shape that comes out: along each axis ⌊(size + 2·padding − kernel)/stride⌋ + 1.</summary>
    /// <exception cref="ArgumentException">The window does not fit the rows.</exception>
    public static SampleShape OutputShape(SampleShape input, long channels, IReadOnlyList<int> kernel, int stride, int padding)
    {
        if (kernel.Count is < 1 or > 2 || kernel.Any(size => size < 1))
            throw new ArgumentException($"A window has one or two sizes of at least 1, but was given [{string.Join(", ", kernel)}].");
        if (stride < 1) throw new ArgumentException($"A stride is at least 1, but is {stride}.");
        if (padding < 0) throw new ArgumentException($"A padding is at least 0, but is {padding}.");
        if (input.Sizes.Count != kernel.Count + 1)
            throw new ArgumentException(
                $"A window over {kernel.Count} axes takes rows of shape {(kernel.Count == 1 ? "[C, L]" : "[C, H, W]")}, but gets {input}.");
        var sizes = new long[kernel.Count + 1];
        sizes[0] = channels;
        for (var axis = 0; axis < kernel.Count; axis++)
        {
            var room = input.Sizes[axis + 1] + (2L * padding) - kernel[axis];
            if (room < 0)
                throw new ArgumentException(
                    $"A window of {kernel[axis]} is larger than the {input.Sizes[axis + 1]} positions (with {padding} added on either "
                    + $"side) of {input}.");
            sizes[axis + 1] = (room / stride) + 1;
        }

        return new SampleShape(sizes);
    }

    /// <summary>The attributes that Conv, ConvTranspose and the poolings have in common.</summary>
    public static NodeArgument[] Attributes(IReadOnlyList<int> kernel, int stride, int padding)
    {
        long[] sizes = [.. kernel.Select(size => (long)size)];
        long[] strides = [.. kernel.Select(_ => (long)stride)];
        long[] pads = [.. Enumerable.Repeat((long)padding, 2 * kernel.Count)];
        return [("kernel_shape", sizes), ("strides", strides), ("pads", pads)];
    }

    /// <summary>
    /// Every value of a pooling that tiles its input at each position of its window: <c>[N, C, …output]</c> to <c>[N, C, …input]</c>.
    /// </summary>
    public static Value Spread(GraphBuilder nodes, Value pooled, LayerSite site, int size)
    {
        // Resize is quick for images only; a row is an image of one line.
        var isRow = site.Input.Sizes.Count == 2;
        if (isRow) pooled = nodes.Node("Reshape", [pooled, nodes.Integers(-1, site.Output.Channels, 1, site.Output.Sizes[1])]);
        var scales = nodes.Initializer(TensorData.Create("scales", [1f, 1f, isRow ? 1f : size, size], 4));
        var spread = nodes.Node(
            "Resize",
            [pooled, Value.None, scales],
            ("mode", "nearest"),
            ("coordinate_transformation_mode", "asymmetric"),
            ("nearest_mode", "floor"));
        return isRow ? nodes.Node("Reshape", [spread, nodes.Integers([-1, .. site.Input.Sizes])]) : spread;
    }

    /// <summary>The windows as columns: <c>[N, C, K, …output positions]</c>, with K the positions in the kernel.</summary>
    /// <remarks>For each position in the kernel a strided slice of the padded input.</remarks>
    public static Value Columns(GraphBuilder nodes, Value x, LayerSite site, IReadOnlyList<int> kernel, int stride, int padding)
    {
        if (kernel.All(size => size == 1) && stride == 1 && padding == 0) return x;
        long[] axes = [.. Enumerable.Range(2, kernel.Count).Select(axis => (long)axis)];
        long[] steps = [.. axes.Select(_ => (long)stride)];
        if (padding > 0)
        {
            long[] ends = [0, 0, .. axes.Select(_ => (long)padding)];
            x = nodes.Named("padded", "Pad", [x, nodes.Integers([.. ends, .. ends])]);
        }

        var slices = new List<Value>();
        long[] column = [-1, site.Input.Channels, 1, site.Output.Positions];
        foreach (var offset in Offsets(kernel))
        {
            long[] ends = [.. offset.Select((start, axis) => start + ((site.Output.Sizes[axis + 1] - 1) * stride) + 1)];
            var slice = nodes.Node("Slice", [x, nodes.Integers(offset), nodes.Integers(ends), nodes.Integers(axes), nodes.Integers(steps)]);
            slices.Add(nodes.Node("Reshape", [slice, nodes.Integers(column)]));
        }

        return slices.Count == 1 ? slices[0] : nodes.Named("columns", "Concat", [.. slices], ("axis", 2));
    }

    // All positions in the kernel, row-major.
    private static IEnumerable<long[]> Offsets(IReadOnlyList<int> kernel)
    {
        for (var row = 0; row < kernel[0]; row++)
        {
            if (kernel.Count == 1) yield return [row];
            else
                for (var column = 0; column < kernel[1]; column++) yield return [row, column];
        }
    }
}

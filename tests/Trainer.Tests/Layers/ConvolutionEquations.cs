using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

/// <summary>Convolution and pooling in float64, position by position. Sequences are images of height 1.</summary>
internal static class ConvolutionEquations
{
    public static double[] Convolve(
        double[] x, SampleShape input, SampleShape output, ConvolutionLayer layer, IReadOnlyDictionary<string, double[]> parameters)
    {
        var perGroup = (int)input.Channels / layer.Groups;
        var (kernelHeight, kernelWidth) = layer.Kernel is [var length] ? (1, length) : (layer.Kernel[0], layer.Kernel[1]);
        var weight = parameters["weight"];
        return Slide(x, input, output, layer.Kernel, layer.Stride, layer.Padding, (channel, read) =>
        {
            var sum = parameters.TryGetValue("bias", out var bias) ? bias[channel] : 0;
            var firstInput = channel / (layer.Channels / layer.Groups) * perGroup;
            for (var c = 0; c < perGroup; c++)
                for (var i = 0; i < kernelHeight; i++)
                    for (var j = 0; j < kernelWidth; j++)
                        sum += weight[(((((channel * perGroup) + c) * kernelHeight) + i) * kernelWidth) + j]
                            * (read(firstInput + c, i, j) ?? 0);
            return sum;
        });
    }

    public static double[] Pool(double[] x, SampleShape input, SampleShape output, int size, int stride, int padding, bool largest)
    {
        int[] kernel = [.. input.Sizes.Skip(1).Select(_ => size)];
        return Slide(x, input, output, kernel, stride, padding, (channel, read) =>
        {
            var values =
                from i in Enumerable.Range(0, kernel.Length == 1 ? 1 : size)
                from j in Enumerable.Range(0, size)
                select read(channel, i, j);
            return largest ? values.Max()!.Value : values.Average(value => value ?? 0);
        });
    }

    // For every output position: read(channel, i, j) is the input under position (i, j) of the window, null in the padding.
    private static double[] Slide(
        double[] x,
        SampleShape input,
        SampleShape output,
        IReadOnlyList<int> kernel,
        int stride,
        int padding,
        Func<int, Func<int, int, int, double?>, double> compute)
    {
        var (height, width) = Plane(input);
        var (outHeight, outWidth) = Plane(output);
        var paddingDown = kernel.Count == 1 ? 0 : padding;
        var rows = x.Length / (int)input.Count;
        var y = new double[rows * output.Count];
        for (int index = 0; index < y.Length; index++)
        {
            var column = index % outWidth;
            var line = index / outWidth % outHeight;
            var channel = index / (outWidth * outHeight) % (int)output.Channels;
            var row = index / (int)output.Count;
            y[index] = compute(channel, (c, i, j) =>
            {
                var (top, left) = ((line * stride) + i - paddingDown, (column * stride) + j - padding);
                return top < 0 || top >= height || left < 0 || left >= width
                    ? null
                    : x[(((((row * (int)input.Channels) + c) * height) + top) * width) + left];
            });
        }

        return y;
    }

    private static (int Height, int Width) Plane(SampleShape shape) =>
        shape.Sizes.Count == 2 ? (1, (int)shape.Sizes[1]) : ((int)shape.Sizes[1], (int)shape.Sizes[2]);
}

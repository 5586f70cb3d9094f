using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// The training passes of an ungrouped convolution as products of matrices: channels go behind the positions, each window of the input
/// becomes a row of K·C values (a gather of whole channel vectors), and forward pass, weight gradient and input gradient are one large
/// matrix product each. For small networks that took half the time of Conv, ConvTranspose and columns copied together from slices.
/// </summary>
/// <remarks>
/// The rows of the input gradient are the windows of dy that a position was seen by, so it is a gather and a product as well, and nothing
/// is added up in place. What lies outside (padding, or between strides) is read from one row of zeros behind the positions.
/// </remarks>
internal sealed class ColumnConvolution(TrainingGraph graph, LayerSite site, ConvolutionLayer layer)
{
    // Below, the gather copies too few bytes at a time.
    private const int FewestChannels = 8;

    // Up to here a product with the identity turns channels and positions faster than Transpose, which ONNX Runtime does on one thread.
    private const int MostChannelsByProduct = 64;

    // The windows are K times as large as the input. Up to this many values for a row they are kept for the way back, beyond they are read
    // again.
    private const long MostValuesKept = 65_536;

    private const string WindowsAgain = "windowsAgain";

    private readonly GraphBuilder _nodes = graph.Nodes;
    private readonly long _window = layer.Kernel.Aggregate(1L, (product, size) => product * size);

    /// <summary>
    /// Whether a layer at its place is to be trained this way: not with groups, nor with so few channels that a gather is slow.
    /// </summary>
    public static bool Suits(ConvolutionLayer layer, LayerSite site) =>
        layer.Groups == 1 && site.Input.Channels >= FewestChannels && !layer.IsPointwise;

    /// <summary>Emits the forward pass, and the way back.</summary>
    /// <param name="x">The input, <c>[N, C, …]</c>.</param>
    /// <param name="weight">The weights, <c>[O, C, …kernel]</c>.</param>
    /// <param name="bias">The bias, <c>[O]</c>, or none.</param>
    public Differentiable Train(Value x, Value weight, Value bias)
    {
        var rows = ChannelsLast(x, site.Input);
        var windows = Windows("windows", rows, site.Input, ReadForward);
        var matrix = WeightMatrix(weight, [.. KernelAxes, 1, 0], _window * site.Input.Channels, layer.Channels);
        var y = _nodes.Node("Gemm", bias.IsGiven ? [windows, matrix, bias] : [windows, matrix]);
        return new Differentiable(ChannelsFirst("y", y, site.Output), (dy, inputNeeded) =>
        {
            if (_window * site.Input.Channels * site.Output.Positions > MostValuesKept)
                windows = Windows(WindowsAgain, rows, site.Input, ReadForward);
            graph.SetGradient(site, "weight", Gradient.Of(WeightGradient(windows, dy)));
            if (bias.IsGiven) graph.SetGradient(site, "bias", Gradient.Of(ChannelReduction.Of(graph, site.Output).Sum(dy)));
            if (!inputNeeded) return Value.None;
            var seenBy = Windows("seenBy", ChannelsLast(dy, site.Output), site.Output, ReadBackward);
            var transposed = WeightMatrix(weight, [.. KernelAxes, 0, 1], _window * layer.Channels, site.Input.Channels);
            return ChannelsFirst("dx", _nodes.Node("MatMul", [seenBy, transposed]), site.Input);
        });
    }

    private long[] KernelAxes => [.. Enumerable.Range(2, layer.Kernel.Count).Select(axis => (long)axis)];

    // [N, C, …] to [N, P, C]
    private Value ChannelsLast(Value x, SampleShape shape)
    {
        var turned = Turned(_nodes.Node("Reshape", [x, _nodes.Integers(-1, shape.Channels, shape.Positions)]));
        return shape.Channels <= MostChannelsByProduct
            ? _nodes.Named("channelsLast", "MatMul", [turned, Identity(shape.Channels)])
            : turned;
    }

    // [N·P, C] to [N, C, …]
    private Value ChannelsFirst(string name, Value rows, SampleShape shape)
    {
        var turned = Turned(_nodes.Node("Reshape", [rows, _nodes.Integers(-1, shape.Positions, shape.Channels)]));
        if (shape.Channels <= MostChannelsByProduct) turned = _nodes.Named("channelsFirst", "MatMul", [Identity(shape.Channels), turned]);
        return _nodes.Named(name, "Reshape", [turned, _nodes.Integers([-1, .. shape.Sizes])]);
    }

    private Value Turned(Value x) => _nodes.Node("Transpose", [x], ("perm", new long[] { 0, 2, 1 }));

    private Value Identity(long size) => graph.Shared($"identity{size}", () =>
    {
        var values = new float[size * size];
        for (var i = 0; i < size; i++) values[(i * size) + i] = 1;
        return _nodes.Initializer(TensorData.Create("identity", values, size, size));
    });

    // [O, C, …kernel] as a matrix, with its axes in another order.
    private Value WeightMatrix(Value weight, long[] order, long rows, long columns) =>
        _nodes.Node("Reshape", [_nodes.Node("Transpose", [weight], ("perm", order)), _nodes.Integers(rows, columns)]);

    // dW as [O, …kernel, C]: for each row the product of dy with its windows, then their sum; where the products would take more memory
    // than the windows by far, one product over all rows.
    private Value WeightGradient(Value windows, Value dy)
    {
        var values = _window * site.Input.Channels;
        var positions = site.Output.Positions;
        Value product;
        if (layer.Channels <= 2 * positions)
        {
            var slopes = _nodes.Node("Reshape", [dy, _nodes.Integers(-1, layer.Channels, positions)]);
            var products = _nodes.Node("MatMul", [slopes, _nodes.Node("Reshape", [windows, _nodes.Integers(-1, positions, values)])]);
            product = graph.SumOverRows(_nodes.Node("Reshape", [products, _nodes.Integers(-1, layer.Channels * values)]));
        }
        else
        {
            var slopes = _nodes.Node("Reshape", [ChannelsLast(dy, site.Output), _nodes.Integers(-1, layer.Channels)]);
            product = _nodes.Node("Gemm", [slopes, windows], ("transA", 1));
        }

        var shaped = _nodes.Node("Reshape", [product, _nodes.Integers([layer.Channels, .. layer.Kernel, site.Input.Channels])]);
        return _nodes.Named(
            "dWeight", "Transpose", [shaped], ("perm", (long[])[0, layer.Kernel.Count + 1, .. KernelAxes.Select(axis => axis - 1)]));
    }

    // [N, P, C] to [N·Q, K·C]: for each of Q windows the channels at each of its K positions.
    private Value Windows(string name, Value channelsLast, SampleShape shape, Func<int, long[][]> read)
    {
        var outside = shape.Positions;
        var rows = layer.Kernel.Count == 1 ? [[0]] : read(0);
        var columns = read(layer.Kernel.Count - 1);
        var width = shape.Sizes[^1];
        var sources = new List<long>();
        foreach (var row in rows)
            foreach (var column in columns)
                foreach (var u in row)
                    foreach (var v in column) sources.Add(u < 0 || v < 0 ? outside : (u * width) + v);
        if (sources.Contains(outside)) channelsLast = _nodes.Named("withZeros", "Pad", [channelsLast, _nodes.Integers(0, 0, 0, 0, 1, 0)]);
        var gathered = _nodes.Node("Gather", [channelsLast, Indices(name, sources)], ("axis", 1));
        return _nodes.Named(name, "Reshape", [gathered, _nodes.Integers(-1, _window * shape.Channels)]);
    }

    // Under a name of its own for each use, and in a shape of its own for the second reading: equal gathers become one, which keeps its
    // result.
    private Value Indices(string name, List<long> sources) => _nodes.Initializer(
        name == WindowsAgain
            ? TensorData.Create(name, [.. sources], sources.Count / _window, _window)
            : TensorData.Create(name, [.. sources], sources.Count));

    // For each output position along an axis the input positions that its window covers; −1 outside.
    private long[][] ReadForward(int axis) => Read(
        site.Output.Sizes[axis + 1],
        layer.Kernel[axis],
        (position, tap) => (position * layer.Stride) + tap - layer.Padding,
        site.Input.Sizes[axis + 1]);

    // For each input position along an axis the output positions whose window has it at the tap; −1 where there is none.
    private long[][] ReadBackward(int axis) => Read(
        site.Input.Sizes[axis + 1],
        layer.Kernel[axis],
        (position, tap) => (position + layer.Padding - tap) is >= 0 and var moved && moved % layer.Stride == 0 ? moved / layer.Stride : -1,
        site.Output.Sizes[axis + 1]);

    private static long[][] Read(long positions, int taps, Func<long, int, long> source, long size) =>
    [
        .. Enumerable.Range(0, (int)positions).Select(position =>
            Enumerable.Range(0, taps).Select(tap => source(position, tap) is >= 0 and var read && read < size ? read : -1).ToArray()),
    ];
}

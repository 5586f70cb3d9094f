using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Layers;

/// <summary>
/// The training passes of an ungrouped convolution by operators of our own: the windows are laid out as a matrix <c>[N·P, K·C]</c>
/// (<see cref="WindowForm"/>), of which forward pass and weight gradient are products, and the input gradient is what the positions
/// gather from such a matrix, whatever the stride.
/// </summary>
internal sealed class WindowConvolution(TrainingGraph graph, LayerSite site, ConvolutionLayer layer)
{
    // The windows are K times as large as the input. Up to this many values for a row they are kept for the way back, beyond they are laid
    // out again.
    private const long MostValuesKept = 65_536;

    private readonly GraphBuilder _nodes = graph.Nodes;
    private readonly WindowForm _windows = WindowForm.Of(site.Input, site.Output, layer.Kernel, layer.Stride, layer.Padding);
    private readonly WindowForm _positions = WindowForm.OfPositions(site.Output);

    /// <summary>Emits the forward pass, and the way back.</summary>
    /// <param name="x">The input, <c>[N, C, …]</c>.</param>
    /// <param name="weight">The weights, <c>[O, C, …kernel]</c>.</param>
    /// <param name="bias">The bias, <c>[O]</c>, or none.</param>
    public Differentiable Train(Value x, Value weight, Value bias)
    {
        var (axes, inputs) = (layer.Kernel.Count, site.Input.Channels);
        long[] kernel = [.. Enumerable.Range(2, axes).Select(axis => (long)axis)];

        // [O, C, …kernel] to [K·C, O]
        var turned = _nodes.Node("Transpose", [weight], ("perm", (long[])[.. kernel, 1, 0]));
        var matrix = _nodes.Node("Reshape", [turned, _nodes.Integers(_windows.WindowSize, layer.Channels)]);
        var windows = Windows("windows", x, _windows);
        var y = _nodes.Node("Gemm", bias.IsGiven ? [windows, matrix, bias] : [windows, matrix]);
        return new Differentiable(Sums("y", y, _positions, site.Output), (dy, inputNeeded) =>
        {
            if ((long)_windows.WindowSize * _windows.Windows > MostValuesKept) windows = Windows("windowsAgain", x, _windows);
            var slopes = Windows("channelsLast", dy, _positions);

            // [K·C, O] to [O, C, …kernel]
            var product = _nodes.Node("Gemm", [windows, slopes], ("transA", 1));
            var shaped = _nodes.Node("Reshape", [product, _nodes.Integers([.. layer.Kernel, inputs, layer.Channels])]);
            graph.SetGradient(site, "weight", Gradient.Of(_nodes.Named(
                "dWeight", "Transpose", [shaped], ("perm", (long[])[axes + 1, axes, .. kernel.Select(axis => axis - 2)]))));
            if (bias.IsGiven) graph.SetGradient(site, "bias", Gradient.Of(ChannelReduction.Of(graph, site.Output).Sum(dy)));
            return inputNeeded
                ? Sums("dx", _nodes.Node("Gemm", [slopes, matrix], ("transB", 1)), _windows, site.Input)
                : Value.None;
        });
    }

    // Under another name a node of its own: equal ones would become one, which keeps its result.
    private Value Windows(string name, Value x, WindowForm form) =>
        graph.Own(WindowsOperator.Name, [x], [name], [.. form.Attributes, ("use", name)])[0];

    private Value Sums(string name, Value matrix, WindowForm form, SampleShape shape) =>
        graph.Own(WindowSumsOperator.Name, [matrix], [name], [.. form.Attributes, ("shape", shape.Sizes.ToArray())])[0];
}

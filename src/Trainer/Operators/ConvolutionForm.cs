using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>What both directions of an ungrouped convolution have in common. Rows of <c>[C, L]</c> are 1 high.</summary>
/// <param name="Inputs">The channels that come in, C.</param>
/// <param name="Outputs">The channels that go out, O.</param>
/// <param name="Input">Height and width of a row that comes in.</param>
/// <param name="Output">Those of a row that goes out.</param>
/// <param name="Kernel">Those of the kernel.</param>
/// <param name="Stride">Positions from one window to the next, along each.</param>
/// <param name="Padding">Zeros at both ends of each.</param>
internal readonly record struct ConvolutionForm(
    int Inputs,
    int Outputs,
    (int Height, int Width) Input,
    (int Height, int Width) Output,
    (int Height, int Width) Kernel,
    (int Height, int Width) Stride,
    (int Height, int Width) Padding)
{
    // Below, handing out the parts takes longer than doing them.
    private const long LeastShared = 1 << 18;

    /// <summary>The positions of a row that comes in.</summary>
    public int InputPositions => Input.Height * Input.Width;

    /// <summary>The positions of a row that goes out.</summary>
    public int OutputPositions => Output.Height * Output.Width;

    /// <summary>The numbers of a line of the kernel that lie side by side where channels are last.</summary>
    public int KernelLine => Kernel.Width * Inputs;

    /// <summary>The rows that come in, with their channels last and zeros around.</summary>
    public ChannelsLast Padded => new(Inputs, Inputs, Input, Padding, Padding);

    /// <summary>The form of a layer.</summary>
    /// <param name="input">The shape of a row that comes in.</param>
    /// <param name="output">The shape of a row that goes out.</param>
    /// <param name="kernel">The size of the kernel along each axis.</param>
    /// <param name="stride">Positions from one window to the next.</param>
    /// <param name="padding">Zeros at both ends.</param>
    public static ConvolutionForm Of(SampleShape input, SampleShape output, IReadOnlyList<int> kernel, int stride, int padding)
    {
        var isLine = input.Sizes.Count == 2;
        return new ConvolutionForm(
            (int)input.Channels,
            (int)output.Channels,
            (isLine ? 1 : (int)input.Sizes[1], (int)input.Sizes[^1]),
            (isLine ? 1 : (int)output.Sizes[1], (int)output.Sizes[^1]),
            (isLine ? 1 : kernel[0], kernel[^1]),
            (isLine ? 1 : stride, stride),
            (isLine ? 0 : padding, padding));
    }

    /// <summary>The form as attributes of a node.</summary>
    public NodeArgument[] Attributes => [("form", new long[]
    {
        Inputs, Outputs, Input.Height, Input.Width, Output.Height, Output.Width, Kernel.Height, Kernel.Width, Stride.Height, Stride.Width,
        Padding.Height, Padding.Width,
    })];

    /// <summary>Reads the attributes of a node.</summary>
    public static ConvolutionForm Of(in KernelAttributes attributes)
    {
        var sizes = Array.ConvertAll(attributes.Integers("form"), size => (int)size);
        return new ConvolutionForm(
            sizes[0],
            sizes[1],
            (sizes[2], sizes[3]),
            (sizes[4], sizes[5]),
            (sizes[6], sizes[7]),
            (sizes[8], sizes[9]),
            (sizes[10], sizes[11]));
    }

    /// <summary>Whether so many rows are worth being divided among threads.</summary>
    public bool IsShared(int rows) =>
        (long)rows * OutputPositions * Outputs * Inputs * Kernel.Height * Kernel.Width >= LeastShared;

    /// <summary>A number rounded up to a multiple.</summary>
    public static int RoundUp(int number, int multiple) => (number + multiple - 1) / multiple * multiple;
}

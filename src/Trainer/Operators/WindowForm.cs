using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// Windows that slide over the positions of a row, and the matrix that they are laid out as, <c>[N·P, K·C]</c>: a line for each of P
/// windows of N rows, in it the C channels at each of K places of the kernel.
/// </summary>
/// <param name="Channels">C.</param>
/// <param name="Input">Height and width of a row; a row of <c>[C, L]</c> is 1 high.</param>
/// <param name="Output">How many windows there are along each.</param>
/// <param name="Kernel">Height and width of a window.</param>
/// <param name="Stride">Positions from one window to the next, along each.</param>
/// <param name="Padding">Zeros at both ends of each.</param>
internal readonly record struct WindowForm(
    int Channels,
    (int Height, int Width) Input,
    (int Height, int Width) Output,
    (int Height, int Width) Kernel,
    (int Height, int Width) Stride,
    (int Height, int Width) Padding)
{
    /// <summary>The values of a window, K·C.</summary>
    public int WindowSize => Kernel.Height * Kernel.Width * Channels;

    /// <summary>The values of a channel in a row.</summary>
    public int Plane => Input.Height * Input.Width;

    /// <summary>The windows of a row, P.</summary>
    public int Windows => Output.Height * Output.Width;

    /// <summary>Whether each window is one position, and each position a window.</summary>
    public bool IsPointwise => Kernel == (1, 1) && Output == Input;

    /// <summary>The values of a line of positions with the zeros at its ends, channels last.</summary>
    public int PaddedLine => (Input.Width + (2 * Padding.Width)) * Channels;

    /// <summary>The values of a row with the zeros around it.</summary>
    public int PaddedSize => (Input.Height + (2 * Padding.Height)) * PaddedLine;

    /// <summary>The values in front of the first position.</summary>
    public int FirstInside => (Padding.Height * PaddedLine) + (Padding.Width * Channels);

    /// <summary>The windows of rows <c>[C, L]</c> or <c>[C, H, W]</c>.</summary>
    /// <param name="input">The shape of a row.</param>
    /// <param name="output">The shape of what comes of it; its channels do not matter.</param>
    /// <param name="kernel">The size of a window along each axis.</param>
    /// <param name="stride">Positions from one window to the next.</param>
    /// <param name="padding">Zeros at both ends.</param>
    public static WindowForm Of(SampleShape input, SampleShape output, IReadOnlyList<int> kernel, int stride, int padding)
    {
        var isLine = input.Sizes.Count == 2;
        return new WindowForm(
            (int)input.Channels,
            (isLine ? 1 : (int)input.Sizes[1], (int)input.Sizes[^1]),
            (isLine ? 1 : (int)output.Sizes[1], (int)output.Sizes[^1]),
            (isLine ? 1 : kernel[0], kernel[^1]),
            (isLine ? 1 : stride, stride),
            (isLine ? 0 : padding, padding));
    }

    /// <summary>Every position as a window of its own: the matrix is <c>[N·P, C]</c>, the rows with their channels last.</summary>
    /// <param name="shape">The shape of a row.</param>
    public static WindowForm OfPositions(SampleShape shape)
    {
        var sizes = (1, (int)shape.Positions);
        return new WindowForm((int)shape.Channels, sizes, sizes, (1, 1), (1, 1), (0, 0));
    }

    /// <summary>The form as attributes of a node.</summary>
    public NodeArgument[] Attributes => [("sizes", new long[]
    {
        Channels, Input.Height, Input.Width, Output.Height, Output.Width, Kernel.Height, Kernel.Width, Stride.Height, Stride.Width,
        Padding.Height, Padding.Width,
    })];

    /// <summary>Reads the attributes of a node.</summary>
    public static WindowForm Of(in KernelAttributes attributes)
    {
        var sizes = Array.ConvertAll(attributes.Integers("sizes"), size => (int)size);
        return new WindowForm(
            sizes[0], (sizes[1], sizes[2]), (sizes[3], sizes[4]), (sizes[5], sizes[6]), (sizes[7], sizes[8]), (sizes[9], sizes[10]));
    }
}

/// <summary>What is done to every row, by the threads of the session where that pays.</summary>
internal unsafe struct WindowWork
{
    // Below, handing out the rows takes longer than doing them.
    private const long LeastShared = 1 << 15;

    private WindowForm _form;
    private float* _planes, _matrix;
    private delegate*<in WindowForm, float*, float*, void> _row;

    /// <summary>Does all rows.</summary>
    /// <param name="context">The node.</param>
    /// <param name="form">The windows.</param>
    /// <param name="rows">N.</param>
    /// <param name="planes">The rows, <c>[N, C, …]</c>.</param>
    /// <param name="matrix">Their windows, <c>[N·P, K·C]</c>.</param>
    /// <param name="row">Does one, given where it lies and where its windows do.</param>
    public static void Run(
        KernelContext context,
        in WindowForm form,
        int rows,
        float* planes,
        float* matrix,
        delegate*<in WindowForm, float*, float*, void> row)
    {
        var work = new WindowWork { _form = form, _planes = planes, _matrix = matrix, _row = row };
        if (rows > 1 && (long)rows * form.Windows * form.WindowSize >= LeastShared) context.InParallel(&Shared, rows, &work);
        else
            for (var i = 0; i < rows; i++) Row(&work, i);
    }

    [UnmanagedCallersOnly]
    private static void Shared(void* work, nuint row) => Row((WindowWork*)work, (int)row);

    private static void Row(WindowWork* work, int row) => work->_row(
        work->_form,
        work->_planes + ((long)row * work->_form.Channels * work->_form.Plane),
        work->_matrix + ((long)row * work->_form.Windows * work->_form.WindowSize));
}

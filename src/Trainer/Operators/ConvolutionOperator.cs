using System.Buffers;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// A convolution. Inputs: x, <c>[N, C, …]</c>, weights, <c>[O, C, …kernel]</c>, and a bias, <c>[O]</c>, or none; output: <c>[N, O, …]</c>.
/// </summary>
/// <remarks>
/// Each row is laid out with its channels last and zeros around, where it stays in the cache while products are taken of the lines of its
/// windows: no windows are copied together.
/// </remarks>
internal sealed class ConvolutionOperator() : OwnOperator(Name, 3, 1)
{
    public new const string Name = "Convolution";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new ConvolutionKernel(ConvolutionForm.Of(attributes), attributes.Integers("shape"));
}

/// <summary>The convolution of one node.</summary>
internal sealed unsafe class ConvolutionKernel(ConvolutionForm form, long[] shape) : OwnKernel
{
    private const int MostParts = 64;

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = (int)(x.Count / ((long)form.Inputs * form.InputPositions));
        var tile = ConvolutionTile.For(form.Outputs, out var width);
        var columns = ConvolutionForm.RoundUp(form.Outputs, width);
        var weights = ArrayPool<float>.Shared.Rent(form.Kernel.Height * form.KernelLine * columns);
        fixed (float* packed = weights)
        {
            Pack(context.Numbers(1), columns, packed);
            var work = new Work
            {
                Form = form,
                Rows = rows,
                Parts = form.IsShared(rows) ? Math.Min(rows, MostParts) : 1,
                X = (float*)x.Numbers,
                Weights = packed,
                Bias = context.Numbers(2),
                Y = context.OutputOfRows(0, rows, shape),
                Compute = tile,
                Width = width,
                Columns = columns,
            };
            if (work.Parts > 1) context.InParallel(&SharedPart, work.Parts, &work);
            else Part(&work, 0);
        }

        ArrayPool<float>.Shared.Return(weights);
    }

    // [O, C, …kernel] to [K·C, O], with zeros behind.
    private void Pack(float* weights, int columns, float* packed)
    {
        var taps = form.Kernel.Height * form.Kernel.Width;
        for (var tap = 0; tap < taps; tap++)
            for (var channel = 0; channel < form.Inputs; channel++, packed += columns)
            {
                for (var output = 0; output < form.Outputs; output++)
                    packed[output] = weights[((((long)output * form.Inputs) + channel) * taps) + tap];
                new Span<float>(packed + form.Outputs, columns - form.Outputs).Clear();
            }
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((Work*)work, (int)index);

    private static void Part(Work* work, int index)
    {
        ref readonly var form = ref work->Form;
        var padded = form.Padded;
        var line = ConvolutionForm.RoundUp(form.Output.Width, ConvolutionTile.Rows) * work->Columns;
        var length = padded.Length(form.Stride.Width);
        var room = ArrayPool<float>.Shared.Rent(length + line);
        fixed (float* x = room)
        {
            new Span<float>(x, length).Clear();
            var to = (int)((index + 1L) * work->Rows / work->Parts);
            for (var row = (int)((long)index * work->Rows / work->Parts); row < to; row++)
            {
                padded.Fill(work->X + ((long)row * form.Inputs * form.InputPositions), x);
                Row(work, x, x + length, work->Y + ((long)row * form.Outputs * form.OutputPositions));
            }
        }

        ArrayPool<float>.Shared.Return(room);
    }

    private static void Row(Work* work, float* x, float* line, float* y)
    {
        ref readonly var form = ref work->Form;
        var step = form.Stride.Width * form.Inputs;
        var tile = new ConvolutionTile
        {
            XStep = step,
            XInner = 1,
            XLine = form.Padded.Line,
            Lines = form.Kernel.Height,
            Run = form.KernelLine,
            WStep = work->Columns,
            YStep = work->Columns,
        };
        for (var down = 0; down < form.Output.Height; down++, y += form.Output.Width)
        {
            var from = x + (down * form.Stride.Height * tile.XLine);
            for (var column = 0; column < work->Columns; column += work->Width)
                for (var across = 0; across < form.Output.Width; across += ConvolutionTile.Rows)
                    work->Compute(tile, from + (across * step), work->Weights + column, line + (across * work->Columns) + column);
            ChannelsLast.Spread(line, work->Columns, form.Outputs, form.Output.Width, y, form.OutputPositions, 1, work->Bias);
        }
    }

    private struct Work
    {
        public ConvolutionForm Form;
        public int Rows, Parts, Width, Columns;
        public float* X, Weights, Bias, Y;
        public delegate*<in ConvolutionTile, float*, float*, float*, void> Compute;
    }
}

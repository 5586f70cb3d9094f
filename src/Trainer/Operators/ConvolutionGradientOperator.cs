using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The way back through a convolution. Inputs: dy, <c>[N, O, …]</c>, x, <c>[N, C, …]</c>, and the weights, <c>[O, C, …kernel]</c>; outputs:
/// dW, and dx where somebody reads it.
/// </summary>
/// <remarks>
/// dx is again a convolution, of dy, for each remainder of a position by the stride with those places of the kernel that reach it: nothing
/// is multiplied by the zeros between strides. dW is added up over the rows of a part, then over the parts, whose number follows from the
/// rows alone.
/// </remarks>
internal sealed class ConvolutionGradientOperator() : OwnOperator(Name, 3, 2)
{
    public new const string Name = "ConvolutionGradient";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new ConvolutionGradientKernel(
        ConvolutionForm.Of(attributes), attributes.Integers("shape"), attributes.Integers("weightShape"));
}

/// <summary>The way back through one node.</summary>
internal sealed unsafe class ConvolutionGradientKernel : OwnKernel
{
    private const int MostParts = 16;
    private const int FewestRowsOfPart = 4;

    private readonly ConvolutionForm _form;
    private readonly long[] _shape;
    private readonly long[] _weightShape;
    private readonly Phase[] _down;
    private readonly Phase[] _across;

    public ConvolutionGradientKernel(ConvolutionForm form, long[] shape, long[] weightShape)
    {
        (_form, _shape, _weightShape) = (form, shape, weightShape);
        _down = Phase.Of(form.Input.Height, form.Kernel.Height, form.Stride.Height, form.Padding.Height);
        _across = Phase.Of(form.Input.Width, form.Kernel.Width, form.Stride.Width, form.Padding.Width);
    }

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(1);
        var rows = (int)(x.Count / ((long)_form.Inputs * _form.InputPositions));
        var slopeTile = ConvolutionTile.For(_form.Outputs, out var slopeWidth);
        var inputTile = ConvolutionTile.For(_form.Inputs, out var inputWidth);
        var outputs = ConvolutionForm.RoundUp(_form.Outputs, slopeWidth);
        var inputs = ConvolutionForm.RoundUp(_form.Inputs, inputWidth);
        var line = ConvolutionForm.RoundUp(_form.KernelLine, ConvolutionTile.Rows);
        var parts = Math.Clamp(rows / FewestRowsOfPart, 1, MostParts);
        var length = _form.Kernel.Height * line * outputs;
        var weights = ArrayPool<float>.Shared.Rent(_form.Kernel.Height * _form.Kernel.Width * outputs * inputs);
        var sums = ArrayPool<float>.Shared.Rent(parts * length);
        fixed (float* packed = weights, summed = sums)
        fixed (Phase* down = _down, across = _across)
        {
            var work = new Work
            {
                Form = _form,
                Slopes = Slopes(outputs),
                Rows = rows,
                Parts = parts,
                Dy = context.Numbers(0),
                X = (float*)x.Numbers,
                Weights = packed,
                Sums = summed,
                Dx = context.OutputOfRows(1, rows, _shape),
                SumLength = length,
                SumLine = line,
                Outputs = outputs,
                Inputs = inputs,
                SlopeTile = slopeTile,
                SlopeWidth = slopeWidth,
                InputTile = inputTile,
                InputWidth = inputWidth,
                Down = down,
                DownCount = _down.Length,
                Across = across,
                AcrossCount = _across.Length,
            };
            if (work.Dx is not null) Pack(context.Numbers(2), outputs, inputs, packed);
            if (parts > 1 && _form.IsShared(rows)) context.InParallel(&SharedPart, parts, &work);
            else
                for (var part = 0; part < parts; part++) Part(&work, part);
            for (var part = 1; part < parts; part++)
            {
                var total = sums.AsSpan(0, length);
                TensorPrimitives.Add(total, sums.AsSpan(part * length, length), total);
            }

            Unpack(summed, line, outputs, context.Output(0, _weightShape));
        }

        ArrayPool<float>.Shared.Return(sums);
        ArrayPool<float>.Shared.Return(weights);
    }

    // dy, with as many zeros around as the phases reach out for.
    private ChannelsLast Slopes(int outputs)
    {
        var (top, bottom) = Phase.Around(_down, _form.Output.Height);
        var (left, right) = Phase.Around(_across, _form.Output.Width);
        return new ChannelsLast(_form.Outputs, outputs, _form.Output, (top, left), (bottom, right));
    }

    // [O, C, …kernel], for each phase its places of the kernel in the order in which dy is read, [K, O, C], with zeros behind both.
    private void Pack(float* weights, int outputs, int inputs, float* packed)
    {
        var taps = _form.Kernel.Height * _form.Kernel.Width;
        foreach (var down in _down)
            foreach (var across in _across)
                for (var i = down.Taps - 1; i >= 0; i--)
                    for (var j = across.Taps - 1; j >= 0; j--)
                    {
                        var tap = (down.Tap(i) * _form.Kernel.Width) + across.Tap(j);
                        for (var output = 0; output < outputs; output++, packed += inputs)
                        {
                            new Span<float>(packed, inputs).Clear();
                            if (output >= _form.Outputs) continue;
                            var from = weights + ((long)output * _form.Inputs * taps) + tap;
                            for (var input = 0; input < _form.Inputs; input++) packed[input] = from[input * taps];
                        }
                    }
    }

    // [K·C, O] to [O, C, …kernel]
    private void Unpack(float* sums, int line, int outputs, float* gradient)
    {
        if (gradient is null) return;
        for (var output = 0; output < _form.Outputs; output++)
            for (var input = 0; input < _form.Inputs; input++)
                for (var down = 0; down < _form.Kernel.Height; down++)
                    for (var across = 0; across < _form.Kernel.Width; across++)
                        *gradient++ = sums[((((down * line) + (across * _form.Inputs) + input) * outputs) + output)];
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((Work*)work, (int)index);

    private static void Part(Work* work, int index)
    {
        ref readonly var form = ref work->Form;
        var padded = form.Padded;
        var (xLength, dyLength) = (padded.Length(form.Stride.Width), work->Slopes.Length(1));
        var lineLength = ConvolutionForm.RoundUp(form.Input.Width, ConvolutionTile.Rows) * work->Inputs;
        var room = ArrayPool<float>.Shared.Rent(xLength + dyLength + lineLength);
        fixed (float* x = room)
        {
            new Span<float>(x, xLength + dyLength).Clear();
            var dy = x + xLength;
            var sums = work->Sums + ((long)index * work->SumLength);
            new Span<float>(sums, work->SumLength).Clear();
            var to = (int)((index + 1L) * work->Rows / work->Parts);
            for (var row = (int)((long)index * work->Rows / work->Parts); row < to; row++)
            {
                padded.Fill(work->X + ((long)row * form.Inputs * form.InputPositions), x);
                work->Slopes.Fill(work->Dy + ((long)row * form.Outputs * form.OutputPositions), dy);
                AddWeightGradient(work, x, dy, sums);
                if (work->Dx is not null)
                    InputGradient(work, dy, dy + dyLength, work->Dx + ((long)row * form.Inputs * form.InputPositions));
            }
        }

        ArrayPool<float>.Shared.Return(room);
    }

    // A line of a tile is a number of the windows, and what it is summed over are the positions.
    private static void AddWeightGradient(Work* work, float* x, float* dy, float* sums)
    {
        ref readonly var form = ref work->Form;
        var (padded, slopes) = (form.Padded, work->Slopes);
        var tile = new ConvolutionTile
        {
            XStep = 1,
            XInner = form.Stride.Width * form.Inputs,
            XLine = form.Stride.Height * padded.Line,
            Lines = form.Output.Height,
            Run = form.Output.Width,
            WStep = work->Outputs,
            WGap = slopes.Line - (form.Output.Width * work->Outputs),
            YStep = work->Outputs,
            Adds = true,
        };
        for (var down = 0; down < form.Kernel.Height; down++)
            for (var column = 0; column < work->Outputs; column += work->SlopeWidth)
                for (var i = 0; i < work->SumLine; i += ConvolutionTile.Rows)
                    work->SlopeTile(
                        tile,
                        x + (down * padded.Line) + i,
                        dy + slopes.First + column,
                        sums + (((down * work->SumLine) + i) * work->Outputs) + column);
    }

    private static void InputGradient(Work* work, float* dy, float* line, float* dx)
    {
        ref readonly var form = ref work->Form;
        var slopes = work->Slopes;
        var weights = work->Weights;
        for (var i = 0; i < work->DownCount; i++)
            for (var j = 0; j < work->AcrossCount; j++)
            {
                var (down, across) = (work->Down[i], work->Across[j]);
                var tile = new ConvolutionTile
                {
                    XStep = work->Outputs,
                    XInner = 1,
                    XLine = slopes.Line,
                    Lines = down.Taps,
                    Run = across.Taps * work->Outputs,
                    WStep = work->Inputs,
                    YStep = work->Inputs,
                };
                for (var y = 0; y < down.Count; y++)
                {
                    var from = dy + ((slopes.Before.Height + down.Start + y) * (nint)slopes.Line)
                        + ((slopes.Before.Width + across.Start) * work->Outputs);
                    for (var column = 0; column < work->Inputs; column += work->InputWidth)
                        for (var x = 0; x < across.Count; x += ConvolutionTile.Rows)
                            work->InputTile(tile, from + (x * work->Outputs), weights + column, line + (x * work->Inputs) + column);
                    var to = dx + (((y * form.Stride.Height) + down.Rest) * form.Input.Width) + across.Rest;
                    ChannelsLast.Spread(
                        line, work->Inputs, form.Inputs, across.Count, to, form.InputPositions, form.Stride.Width, null);
                }

                weights += (long)down.Taps * across.Taps * work->Outputs * work->Inputs;
            }
    }

    private struct Work
    {
        public ConvolutionForm Form;
        public ChannelsLast Slopes;
        public int Rows, Parts, SumLength, SumLine, Outputs, Inputs, SlopeWidth, InputWidth, DownCount, AcrossCount;
        public float* Dy, X, Weights, Sums, Dx;
        public Phase* Down, Across;
        public delegate*<in ConvolutionTile, float*, float*, float*, void> SlopeTile, InputTile;
    }

    /// <summary>
    /// The positions of an axis that leave the same rest when divided by the stride: they are reached by the same places of the kernel.
    /// </summary>
    /// <param name="Rest">The rest.</param>
    /// <param name="Count">How many positions there are.</param>
    /// <param name="First">The first place of the kernel.</param>
    /// <param name="Taps">How many places there are, a stride apart.</param>
    /// <param name="Stride">The stride.</param>
    /// <param name="Start">Where the first of these positions begins to read dy; it may be outside.</param>
    private readonly record struct Phase(int Rest, int Count, int First, int Taps, int Stride, int Start)
    {
        /// <summary>A place of the kernel, from 0.</summary>
        public int Tap(int index) => First + (index * Stride);

        /// <summary>The phases of an axis.</summary>
        public static Phase[] Of(int size, int kernel, int stride, int padding) =>
        [
            .. Enumerable.Range(0, Math.Min(stride, size)).Select(rest =>
            {
                // y = (q + padding − k)/stride, where that has no rest.
                var first = (rest + padding) % stride;
                var taps = first < kernel ? ((kernel - 1 - first) / stride) + 1 : 0;
                var start = ((rest + padding - first) / stride) - Math.Max(0, taps - 1);
                return new Phase(rest, ((size - 1 - rest) / stride) + 1, first, taps, stride, start);
            }),
        ];

        /// <summary>How many zeros the phases of an axis need at both ends of dy.</summary>
        public static (int Before, int After) Around(Phase[] phases, int size) => (
            Math.Max(0, phases.Max(phase => -phase.Start)),
            Math.Max(0, phases.Max(phase => phase.Start + phase.Count + Math.Max(1, phase.Taps) - 1 - size)));
    }
}

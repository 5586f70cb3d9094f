using System.Buffers;
using System.Numerics.Tensors;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The way back from <see cref="WindowsOperator"/>: each position of a row gets the sum of what the windows that it lies in have for it,
/// <c>[N·P, K·C]</c> to <c>[N, C, …]</c>. With windows of one position it puts channels first again.
/// </summary>
internal sealed class WindowSumsOperator() : OwnOperator(Name, 1, 1)
{
    public new const string Name = "WindowSums";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new WindowSumsKernel(WindowForm.Of(attributes), attributes.Integers("shape"));
}

/// <summary>The sums of one node.</summary>
internal sealed unsafe class WindowSumsKernel(WindowForm form, long[] shape) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var matrix = context.Input(0);
        var rows = (int)(matrix.Count / ((long)form.Windows * form.WindowSize));
        Span<long> sizes = stackalloc long[BatchNormForm.MostAxes];
        sizes[0] = rows;
        shape.CopyTo(sizes[1..]);
        var planes = context.Output(0, sizes[..(shape.Length + 1)]);
        WindowWork.Run(context, form, rows, planes, (float*)matrix.Numbers, &Row);
    }

    private static void Row(in WindowForm form, float* planes, float* windows)
    {
        if (form.IsPointwise)
        {
            ToChannelsFirst(form, windows, planes);
            return;
        }

        // Channels last, with room around for what lies outside.
        var rented = ArrayPool<float>.Shared.Rent(form.PaddedSize);
        fixed (float* padded = rented)
        {
            new Span<float>(padded, form.PaddedSize).Clear();
            var length = form.Kernel.Width * form.Channels;
            for (var y = 0; y < form.Output.Height; y++)
                for (var x = 0; x < form.Output.Width; x++)
                {
                    var to = padded + (y * form.Stride.Height * form.PaddedLine) + (x * form.Stride.Width * form.Channels);
                    for (var down = 0; down < form.Kernel.Height; down++, to += form.PaddedLine, windows += length)
                    {
                        var sum = new Span<float>(to, length);
                        TensorPrimitives.Add(sum, new ReadOnlySpan<float>(windows, length), sum);
                    }
                }

            ToChannelsFirst(form, padded + form.FirstInside, planes);
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    private static void ToChannelsFirst(in WindowForm form, float* last, float* planes)
    {
        var channels = form.Channels;
        for (var channel = 0; channel < channels; channel++)
            for (var y = 0; y < form.Input.Height; y++)
            {
                var from = last + (y * form.PaddedLine) + channel;
                for (var x = 0; x < form.Input.Width; x++, from += channels) *planes++ = *from;
            }
    }
}

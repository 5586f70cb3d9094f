using System.Buffers;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// Lays out windows as a matrix: rows <c>[N, C, …]</c> to <c>[N·P, K·C]</c> (see <see cref="WindowForm"/>), with zeros for what lies
/// outside. A convolution is then a product with weights <c>[K·C, O]</c>. With windows of one position it puts channels last.
/// </summary>
internal sealed class WindowsOperator() : OwnOperator(Name, 1, 1)
{
    public new const string Name = "Windows";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new WindowsKernel(WindowForm.Of(attributes));
}

/// <summary>The windows of one node.</summary>
internal sealed unsafe class WindowsKernel(WindowForm form) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = (int)(x.Count / ((long)form.Channels * form.Plane));
        var matrix = context.Output(0, (long)rows * form.Windows, form.WindowSize);
        WindowWork.Run(context, form, rows, (float*)x.Numbers, matrix, &Row);
    }

    private static void Row(in WindowForm form, float* planes, float* windows)
    {
        if (form.IsPointwise)
        {
            ToChannelsLast(form, planes, windows);
            return;
        }

        // With its channels last and zeros around it, a row has what a line of a window reads in one piece.
        var rented = ArrayPool<float>.Shared.Rent(form.PaddedSize);
        fixed (float* padded = rented)
        {
            if (form.Padding != (0, 0)) new Span<float>(padded, form.PaddedSize).Clear();
            ToChannelsLast(form, planes, padded + form.FirstInside);
            var length = form.Kernel.Width * form.Channels;
            for (var y = 0; y < form.Output.Height; y++)
                for (var x = 0; x < form.Output.Width; x++)
                {
                    var from = padded + (y * form.Stride.Height * form.PaddedLine) + (x * form.Stride.Width * form.Channels);
                    for (var down = 0; down < form.Kernel.Height; down++, from += form.PaddedLine, windows += length)
                        new ReadOnlySpan<float>(from, length).CopyTo(new Span<float>(windows, length));
                }
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    private static void ToChannelsLast(in WindowForm form, float* planes, float* last)
    {
        var channels = form.Channels;
        for (var channel = 0; channel < channels; channel++)
            for (var y = 0; y < form.Input.Height; y++)
            {
                var to = last + (y * form.PaddedLine) + channel;
                for (var x = 0; x < form.Input.Width; x++, to += channels) *to = *planes++;
            }
    }
}

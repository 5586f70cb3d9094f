using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The gradient of <see cref="EncodedProductOperator"/> with respect to the weights, <c>[D, K]</c>: that of the sums of weights first, as a
/// product of the same kind, then of the weights that they are made of. Inputs: what each row takes, and the gradient with respect to the
/// product, <c>[N, K]</c>. The second output is room for the work.
/// </summary>
internal sealed class EncodedGradientOperator() : OwnOperator(Name, 2, 2)
{
    public new const string Name = "EncodedGradient";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new EncodedGradientKernel(EncodedForm.Of(attributes), attributes.Integer("columns"));
}

/// <summary>The gradient of one node.</summary>
internal sealed unsafe class EncodedGradientKernel(EncodedForm form, int columns) : OwnKernel
{
    private readonly int[] _bins = [.. form.Bins.Select(bins => (int)bins)];

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var (given, dy) = (context.Input(0), context.Input(1));
        var rows = (int)(dy.Count / columns);
        var taken = new Taken((float*)given.Numbers, rows, rows * form.MostTaken);
        var count = taken.Starts[rows];
        var size = Taken.Size(form.Width, count);
        var room = context.Output(1, size + ((long)rows * columns));
        var byValue = new Taken(room, form.Width, count);
        taken.Turn(rows, byValue, form.Width);
        fixed (int* bins = _bins)
        {
            var work = new EncodedWork
            {
                Columns = columns,
                List = byValue,
                Lists = form.Width,
                From = (float*)dy.Numbers,
                FromRows = rows,
                Numbers = form.Numbers,
                Bins = bins,
                Features = _bins.Length,
                Reach = form.Reach,
                To = context.Output(0, form.Width, columns),
                Room = room + size,
            };
            EncodedWork.Run(context, &work, &SharedPart);
        }
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((EncodedWork*)work, (int)index);

    private static void Part(EncodedWork* work, int index)
    {
        var (first, count) = work->Part(index);
        work->Combine(work->CopyRows(first, count), first, count);

        // A bin's weights are in its own sum and in all behind it.
        var at = work->To + ((long)work->Numbers * work->Columns) + first;
        for (var feature = 0; feature < work->Features; feature++)
        {
            var bins = work->Bins[feature];
            for (var bin = bins - 1; bin >= 0; bin--)
            {
                var gradient = new Span<float>(at + ((long)bin * work->Columns), count);
                if (bin == bins - 1) TensorPrimitives.Multiply(gradient, work->Reach, gradient);
                else TensorPrimitives.MultiplyAdd(
                    gradient, work->Reach, new ReadOnlySpan<float>(at + ((bin + 1L) * work->Columns), count), gradient);
            }

            at += (long)bins * work->Columns;
        }
    }
}

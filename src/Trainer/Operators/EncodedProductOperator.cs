using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The product of rows as <see cref="EncodedNumbers"/> makes them, <c>[N, D]</c>, and weights, <c>[D, K]</c>. The bins below a number count
/// in full, so what they add is one of as many sums of weights as there are bins. With these sums in place of the bins' weights a row takes
/// two of them for each feature, in proportion, where a plain product takes all. The second output says what each row takes, for
/// <see cref="EncodedGradientOperator"/>; the third is room for the work.
/// </summary>
internal sealed class EncodedProductOperator() : OwnOperator(Name, 2, 3)
{
    public new const string Name = "EncodedProduct";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) =>
        new EncodedProductKernel(EncodedForm.Of(attributes), attributes.Integer("columns"));
}

/// <summary>The product of one node.</summary>
internal sealed unsafe class EncodedProductKernel(EncodedForm form, int columns) : OwnKernel
{
    private readonly int[] _bins = [.. form.Bins.Select(bins => (int)bins)];

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var rows = (int)(x.Count / form.Width);
        var most = rows * form.MostTaken;
        var taken = new Taken(context.Output(1, Taken.Size(rows, most)), rows, most);
        Take((float*)x.Numbers, rows, taken);
        fixed (int* bins = _bins)
        {
            var work = new EncodedWork
            {
                Columns = columns,
                List = taken,
                Lists = rows,
                From = context.Numbers(1),
                FromRows = form.Width,
                Numbers = form.Numbers,
                Bins = bins,
                Features = _bins.Length,
                Reach = form.Reach,
                To = context.Output(0, rows, columns),
                Room = context.Output(2, form.Width, columns),
            };
            EncodedWork.Run(context, &work, &SharedPart);
        }
    }

    // What the rows take: the share of a bin that lies below the number stands between the sum up to that bin and the sum with it.
    private void Take(float* x, int rows, Taken taken)
    {
        var next = 0;
        for (var row = 0; row < rows; row++, x += form.Width)
        {
            taken.Starts[row] = next;
            for (var i = 0; i < form.Numbers; i++) Add(i, x[i]);
            var first = form.Numbers;
            foreach (var bins in _bins)
            {
                var below = Below(x + first, bins);
                var share = below < bins ? x[first + below] / form.Reach : 0;
                if (below > 0) Add(first + below - 1, 1 - share);
                if (share != 0) Add(first + below, share);
                first += bins;
            }

            for (var i = first; i < form.Width; i++)
                if (x[i] != 0) Add(i, x[i]);
        }

        taken.Starts[rows] = next;

        void Add(int place, float share) => (taken.Places[next], taken.Shares[next++]) = (place, share);
    }

    // How many of the entries are full: they stand in front of the others.
    private int Below(float* entries, int count)
    {
        var (low, high) = (0, count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle] >= form.Reach) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((EncodedWork*)work, (int)index);

    private static void Part(EncodedWork* work, int index)
    {
        var (first, count) = work->Part(index);
        var room = work->CopyRows(first, count);
        var at = room + ((long)work->Numbers * count);
        for (var feature = 0; feature < work->Features; feature++)
        {
            for (var bin = 0; bin < work->Bins[feature]; bin++, at += count)
            {
                var sum = new Span<float>(at, count);
                if (bin == 0) TensorPrimitives.Multiply(sum, work->Reach, sum);
                else TensorPrimitives.MultiplyAdd(sum, work->Reach, new ReadOnlySpan<float>(at - count, count), sum);
            }
        }

        work->Combine(room, first, count);
    }
}

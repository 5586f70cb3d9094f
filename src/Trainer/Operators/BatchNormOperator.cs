using System.Buffers;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The forward pass of batch normalization in training (Ioffe and Szegedy 2015, Algorithm 1), with the activation behind it: y, what the
/// way back needs (<c>saved</c>, <c>[4, K, C]</c> for K slices: mean, 1/√(σ²+ε), scale and shift of y = (x − mean)·scale + shift), and the
/// batch's mean and variance, <c>[C]</c>. Inputs: x, gamma and beta, <c>[C]</c>.
/// </summary>
/// <remarks>
/// Over ranks the batch is that of all of them: each one's means and sums of squares are gathered and joined pairwise in float64 (Chan,
/// Golub and LeVeque 1979, STAN-CS-79-773): M₂ = Σ(M₂ᵣ + nᵣ·(μᵣ − μ)²).
/// </remarks>
/// <param name="ofRanks">Whether the mini-batches of all ranks are normalized together.</param>
internal sealed class BatchNormOperator(bool ofRanks = false) : OwnOperator(ofRanks ? OfRanks : Name, 3, 4)
{
    public new const string Name = "BatchNorm";

    /// <summary>The name where there are ranks.</summary>
    public const string OfRanks = "BatchNormOfRanks";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new BatchNormKernel(
        BatchNormForm.Of(attributes),
        attributes.Float("epsilon"),
        attributes.Integer("unbiased") != 0,
        ofRanks ? Communicator.Of(attributes.Integer("ranks")) : null);
}

/// <summary>The forward pass of one node.</summary>
internal sealed unsafe class BatchNormKernel(BatchNormForm form, float epsilon, bool isUnbiased, Communicator? ranks)
    : OwnKernel, IBatchNormDirection
{
    // What each rank says of a channel: its mean, and the sums of distances from it and of their squares.
    private const int Told = 3;

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var work = BatchNormWork.Of(form, context.Input(0));
        work.Epsilon = epsilon;
        work.IsUnbiased = isUnbiased;
        work.Gamma = context.Numbers(1);
        work.Beta = context.Numbers(2);
        work.Y = context.OutputOfRows(0, work.Rows, form.Row, form.OutputGroups);
        work.Saved = context.Output(1, 4, work.Slices, work.Channels);
        work.Mean = context.Output(2, work.Channels);
        work.Variance = context.Output(3, work.Channels);
        if (ranks is null)
        {
            BatchNormWork.Run<BatchNormKernel>(context, &work, &SharedPart);
            return;
        }

        work.Phase = BatchNormPhase.Sums;
        BatchNormWork.Run<BatchNormKernel>(context, &work, &SharedPart);
        Join(ranks, &work);
        work.Phase = BatchNormPhase.Result;
        BatchNormWork.Run<BatchNormKernel>(context, &work, &SharedPart);
    }

    // The first three rows of what is saved hold what this rank found; afterwards all four hold what follows for all rows.
    private static void Join(Communicator ranks, BatchNormWork* work)
    {
        var channels = work->Channels;
        var length = (Told * channels) + 1;
        var gathered = ArrayPool<float>.Shared.Rent((ranks.Size + 1) * length);
        var told = gathered.AsSpan(0, length);
        var all = gathered.AsSpan(length, ranks.Size * length);
        new ReadOnlySpan<float>(work->Saved, Told * channels).CopyTo(told);
        told[^1] = work->Rows;
        ranks.Gather<float>(told, all);
        double count = 0;
        for (var rank = 0; rank < ranks.Size; rank++) count += (double)all[((rank + 1) * length) - 1] * work->Positions;
        for (var channel = 0; channel < channels; channel++)
        {
            var mean = 0.0;
            for (var rank = 0; rank < ranks.Size; rank++)
            {
                var own = all.Slice(rank * length, length);
                mean += (((double)own[^1] * work->Positions * own[channel]) + own[channels + channel]) / count;
            }

            var squares = 0.0;
            for (var rank = 0; rank < ranks.Size; rank++)
            {
                var own = all.Slice(rank * length, length);
                var values = (double)own[^1] * work->Positions;
                var off = own[channels + channel] / values;
                var distance = own[channel] + off - mean;
                squares += own[(2 * channels) + channel] - (values * off * off) + (values * distance * distance);
            }

            var variance = squares / count;
            var deviation = 1 / Math.Sqrt(variance + work->Epsilon);
            var scale = (work->Gamma is null ? 1 : work->Gamma[channel]) * deviation;
            var near = (float)mean;
            work->Saved[channel] = near;
            work->Saved[channels + channel] = (float)deviation;
            work->Saved[(2 * channels) + channel] = (float)scale;
            work->Saved[(3 * channels) + channel] = (float)((work->Beta is null ? 0 : work->Beta[channel]) - ((mean - near) * scale));
            work->Mean[channel] = near;
            work->Variance[channel] = (float)(work->IsUnbiased ? squares / (count - 1) : variance);
        }

        ArrayPool<float>.Shared.Return(gathered);
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => BatchNormWork.RunPart<BatchNormKernel>((BatchNormWork*)work, (int)index);

    /// <inheritdoc/>
    public static int Columns<TLanes, T, TFunction>(BatchNormWork* work, int channel, int count)
        where TLanes : ILanes<T>
        where T : struct
        where TFunction : ILaneFunction
    {
        count -= count % TLanes.Count;
        if (count == 0) return 0;
        var (xOffset, xStride) = work->At(channel, work->InputGroups);
        var (yOffset, yStride) = work->At(channel, work->OutputGroups);
        var sums = stackalloc float[2 * BatchNormWork.PartWidth];
        var squares = sums + BatchNormWork.PartWidth;
        var slope = TLanes.All(work->Slope);
        var step = (long)work->Slices * work->Channels;
        for (var slice = 0; slice < work->Slices; slice++)
        {
            var (from, to) = (work->FirstRow(slice), work->FirstRow(slice + 1));
            var x = work->X + xOffset + ((long)from * xStride);
            var y = work->Y + yOffset + ((long)from * yStride);
            var saved = work->Saved + ((long)slice * work->Channels) + channel;
            var rows = to - from;
            var inverse = TLanes.All(1f / rows);
            if (work->Phase != BatchNormPhase.Result)
            {
                Moments<TLanes, T>(x, xStride, rows, count, saved, sums, squares);
                if (work->Phase == BatchNormPhase.Sums)
                {
                    for (var j = 0; j < count; j += TLanes.Count)
                    {
                        TLanes.Store(TLanes.Load(sums + j), saved + step + j);
                        TLanes.Store(TLanes.Load(squares + j), saved + (2 * step) + j);
                    }

                    continue;
                }
            }

            for (var j = 0; j < count && work->Phase == BatchNormPhase.Both; j += TLanes.Count)
            {
                var variance = TLanes.Multiply(TLanes.Load(squares + j), inverse);
                var deviation = TLanes.Divide(TLanes.All(1), TLanes.Sqrt(TLanes.Add(variance, TLanes.All(work->Epsilon))));
                var scale = work->Gamma is null ? deviation : TLanes.Multiply(TLanes.Load(work->Gamma + channel + j), deviation);

                // Near 1e4 the mean is only good to 1e-3: what the distances from it add up to is taken off, too.
                var residue = TLanes.Multiply(TLanes.Multiply(TLanes.Load(sums + j), inverse), scale);
                var beta = work->Beta is null ? TLanes.All(0) : TLanes.Load(work->Beta + channel + j);
                TLanes.Store(deviation, saved + step + j);
                TLanes.Store(scale, saved + (2 * step) + j);
                TLanes.Store(TLanes.Subtract(beta, residue), saved + (3 * step) + j);
                Statistics<TLanes, T>(work, slice, rows, channel + j, TLanes.Load(saved + j), variance);
            }

            for (var row = 0; row < rows; row++)
            {
                var r = x + ((long)row * xStride);
                var to1 = y + ((long)row * yStride);
                for (var j = 0; j < count; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.Load(r + j), TLanes.Load(saved + j));
                    var z = TLanes.MultiplyAdd(c, TLanes.Load(saved + (2 * step) + j), TLanes.Load(saved + (3 * step) + j));
                    TLanes.Store(TFunction.Of<TLanes, T>(z, slope), to1 + j);
                }
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public static void Channel<TLanes, T, TFunction>(BatchNormWork* work, int channel)
        where TLanes : ILanes<T>
        where T : struct
        where TFunction : ILaneFunction
    {
        var positions = work->Positions;
        var whole = positions - (positions % TLanes.Count);
        var rowStride = (long)work->Channels * positions;
        var step = (long)work->Slices * work->Channels;
        for (var slice = 0; slice < work->Slices; slice++)
        {
            var (from, to) = (work->FirstRow(slice), work->FirstRow(slice + 1));
            var saved = work->Saved + ((long)slice * work->Channels) + channel;
            if (work->Phase != BatchNormPhase.Result)
            {
                var inverse = 1f / ((float)(to - from) * positions);
                var (found, distances, squares) = Moments<TLanes, T>(work, channel, from, to, inverse);
                if (work->Phase == BatchNormPhase.Sums)
                {
                    (*saved, saved[step], saved[2 * step]) = (found, (float)distances, (float)squares);
                    continue;
                }

                var spread = (float)(squares * inverse);
                var root = 1 / MathF.Sqrt(spread + work->Epsilon);
                var factor = work->Gamma is null ? root : work->Gamma[channel] * root;
                var moved = (work->Beta is null ? 0 : work->Beta[channel]) - ((float)(distances * inverse) * factor);
                (*saved, saved[step], saved[2 * step], saved[3 * step]) = (found, root, factor, moved);
                Statistics<Lanes1, float>(work, slice, (to - from) * positions, channel, found, spread);
            }

            var (mean, scale, shift) = (*saved, saved[2 * step], saved[3 * step]);
            for (var row = from; row < to; row++)
            {
                var offset = (row * rowStride) + ((long)channel * positions);
                var x = work->X + offset;
                var y = work->Y + offset;
                for (var j = 0; j < whole; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.Load(x + j), TLanes.All(mean));
                    var z = TLanes.MultiplyAdd(c, TLanes.All(scale), TLanes.All(shift));
                    TLanes.Store(TFunction.Of<TLanes, T>(z, TLanes.All(work->Slope)), y + j);
                }

                for (var j = whole; j < positions; j++)
                    y[j] = TFunction.Of<Lanes1, float>(Lanes1.MultiplyAdd(x[j] - mean, scale, shift), work->Slope);
            }
        }
    }

    // Sums over the rows, then of distances from the mean and of their squares.
    private static void Moments<TLanes, T>(float* x, int xStride, int rows, int count, float* saved, float* sums, float* squares)
        where TLanes : ILanes<T>
        where T : struct
    {
        var inverse = TLanes.All(1f / rows);
        for (var j = 0; j < count; j += TLanes.Count) TLanes.Store(TLanes.All(0), sums + j);
        var row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            var r = x + ((long)row * xStride);
            for (var j = 0; j < count; j += TLanes.Count)
            {
                var two = TLanes.Add(TLanes.Load(r + j), TLanes.Load(r + xStride + j));
                var others = TLanes.Add(TLanes.Load(r + (2 * xStride) + j), TLanes.Load(r + (3 * xStride) + j));
                TLanes.Store(TLanes.Add(TLanes.Load(sums + j), TLanes.Add(two, others)), sums + j);
            }
        }

        for (; row < rows; row++)
        {
            var r = x + ((long)row * xStride);
            for (var j = 0; j < count; j += TLanes.Count) TLanes.Store(TLanes.Add(TLanes.Load(sums + j), TLanes.Load(r + j)), sums + j);
        }

        for (var j = 0; j < count; j += TLanes.Count)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(sums + j), inverse), saved + j);
            TLanes.Store(TLanes.All(0), sums + j);
            TLanes.Store(TLanes.All(0), squares + j);
        }

        for (row = 0; row + 2 <= rows; row += 2)
        {
            var r = x + ((long)row * xStride);
            for (var j = 0; j < count; j += TLanes.Count)
            {
                var mean = TLanes.Load(saved + j);
                var c = TLanes.Subtract(TLanes.Load(r + j), mean);
                var next = TLanes.Subtract(TLanes.Load(r + xStride + j), mean);
                TLanes.Store(TLanes.Add(TLanes.Load(sums + j), TLanes.Add(c, next)), sums + j);
                var square = TLanes.MultiplyAdd(c, c, TLanes.Load(squares + j));
                TLanes.Store(TLanes.MultiplyAdd(next, next, square), squares + j);
            }
        }

        for (; row < rows; row++)
        {
            var r = x + ((long)row * xStride);
            for (var j = 0; j < count; j += TLanes.Count)
            {
                var c = TLanes.Subtract(TLanes.Load(r + j), TLanes.Load(saved + j));
                TLanes.Store(TLanes.Add(TLanes.Load(sums + j), c), sums + j);
                TLanes.Store(TLanes.MultiplyAdd(c, c, TLanes.Load(squares + j)), squares + j);
            }
        }
    }

    // The same of a channel of images.
    private static (float Mean, double Distances, double Squares) Moments<TLanes, T>(
        BatchNormWork* work, int channel, int from, int to, float inverse)
        where TLanes : ILanes<T>
        where T : struct
    {
        var positions = work->Positions;
        var whole = positions - (positions % TLanes.Count);
        var rowStride = (long)work->Channels * positions;
        double total = 0;
        for (var row = from; row < to; row++)
        {
            var x = work->X + (row * rowStride) + ((long)channel * positions);
            var sum = TLanes.All(0);
            var rest = 0f;
            for (var j = 0; j < whole; j += TLanes.Count) sum = TLanes.Add(sum, TLanes.Load(x + j));
            for (var j = whole; j < positions; j++) rest += x[j];
            total += TLanes.Sum(sum) + rest;
        }

        var mean = (float)(total * inverse);
        double distances = 0, squares = 0;
        for (var row = from; row < to; row++)
        {
            var x = work->X + (row * rowStride) + ((long)channel * positions);
            var (sum, square) = (TLanes.All(0), TLanes.All(0));
            var (rest, restSquare) = (0f, 0f);
            for (var j = 0; j < whole; j += TLanes.Count)
            {
                var c = TLanes.Subtract(TLanes.Load(x + j), TLanes.All(mean));
                sum = TLanes.Add(sum, c);
                square = TLanes.MultiplyAdd(c, c, square);
            }

            for (var j = whole; j < positions; j++)
            {
                var c = x[j] - mean;
                rest += c;
                restSquare += c * c;
            }

            distances += TLanes.Sum(sum) + rest;
            squares += TLanes.Sum(square) + restSquare;
        }
        return (mean, distances, squares);
    }

    // The mean over the slices, a variance times m/(m−1) where it is to be unbiased.
    private static void Statistics<TLanes, T>(BatchNormWork* work, int slice, int values, int channel, T mean, T variance)
        where TLanes : ILanes<T>
        where T : struct
    {
        if (work->IsUnbiased) variance = TLanes.Multiply(variance, TLanes.All((float)(values / (values - 1.0))));
        if (work->Slices > 1)
        {
            var share = TLanes.All(1f / work->Slices);
            (mean, variance) = (TLanes.Multiply(mean, share), TLanes.Multiply(variance, share));
            if (slice > 0)
            {
                mean = TLanes.Add(mean, TLanes.Load(work->Mean + channel));
                variance = TLanes.Add(variance, TLanes.Load(work->Variance + channel));
            }
        }

        TLanes.Store(mean, work->Mean + channel);
        TLanes.Store(variance, work->Variance + channel);
    }
}

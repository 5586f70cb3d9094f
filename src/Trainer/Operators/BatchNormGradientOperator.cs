using System.Buffers;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// The way back. Inputs: dy, x, what the forward pass saved, and y where the activation needs it. Outputs: dx, dγ and dβ, <c>[C]</c>. With
/// dz behind the activation, c = x − mean and i = 1/√(σ²+ε): dβ = Σdz, dγ = i·Σ(dz·c), dx = s·dz − c·s·i·dγ/m − s·Σdz/m.
/// </summary>
/// <remarks>
/// Over ranks the sums and m in dx are those of all rows; dγ and dβ are this rank's part, which is joined with the others' like any
/// gradient.
/// </remarks>
/// <param name="ofRanks">Whether the mini-batches of all ranks were normalized together.</param>
internal sealed class BatchNormGradientOperator(bool ofRanks = false) : OwnOperator(ofRanks ? OfRanks : Name, 4, 3)
{
    public new const string Name = "BatchNormGradient";

    /// <summary>The name where there are ranks.</summary>
    public const string OfRanks = "BatchNormGradientOfRanks";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new BatchNormGradientKernel(
        BatchNormForm.Of(attributes), ofRanks ? Communicator.Of(attributes.Integer("ranks")) : null);
}

/// <summary>The way back of one node.</summary>
internal sealed unsafe class BatchNormGradientKernel(BatchNormForm form, Communicator? ranks) : OwnKernel, IBatchNormDirection
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var work = BatchNormWork.Of(form, context.Input(1));
        work.Dy = context.Numbers(0);
        work.Saved = context.Numbers(2);
        work.Y = context.Numbers(3);
        work.Dx = context.OutputOfRows(0, work.Rows, form.Row, form.InputGroups);
        work.DGamma = context.Output(1, work.Channels);
        work.DBeta = context.Output(2, work.Channels);
        if (ranks is null)
        {
            BatchNormWork.Run<BatchNormGradientKernel>(context, &work, &SharedPart);
            return;
        }

        var length = (2 * work.Channels) + 1;
        var gathered = ArrayPool<float>.Shared.Rent((ranks.Size + 1) * length);
        fixed (float* sums = gathered)
        {
            work.Sums = sums;
            work.Phase = BatchNormPhase.Sums;
            BatchNormWork.Run<BatchNormGradientKernel>(context, &work, &SharedPart);
            if (work.Dx is not null)
            {
                gathered[length - 1] = work.Rows;
                Join(ranks, gathered.AsSpan(0, length), gathered.AsSpan(length, ranks.Size * length));
                work.InverseCount = (float)(1 / ((double)gathered[length - 1] * work.Positions));
                work.Phase = BatchNormPhase.Result;
                BatchNormWork.Run<BatchNormGradientKernel>(context, &work, &SharedPart);
            }
        }

        ArrayPool<float>.Shared.Return(gathered);
    }

    // In float64 and in the order of the ranks: the same everywhere.
    private static void Join(Communicator ranks, Span<float> sums, Span<float> all)
    {
        ranks.Gather<float>(sums, all);
        for (var i = 0; i < sums.Length; i++)
        {
            var sum = 0.0;
            for (var rank = 0; rank < ranks.Size; rank++) sum += all[(rank * sums.Length) + i];
            sums[i] = (float)sum;
        }
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) =>
        BatchNormWork.RunPart<BatchNormGradientKernel>((BatchNormWork*)work, (int)index);

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
        var products = sums + BatchNormWork.PartWidth;
        var slope = TLanes.All(work->Slope);
        var step = (long)work->Slices * work->Channels;
        for (var slice = 0; slice < work->Slices; slice++)
        {
            var (from, to) = (work->FirstRow(slice), work->FirstRow(slice + 1));
            var x = work->X + xOffset + ((long)from * xStride);
            var dx = work->Dx + xOffset + ((long)from * xStride);
            var y = work->Y + yOffset + ((long)from * yStride);
            var dy = work->Dy + yOffset + ((long)from * yStride);
            var saved = work->Saved + ((long)slice * work->Channels) + channel;
            var rows = to - from;
            for (var j = 0; j < count; j += TLanes.Count)
            {
                TLanes.Store(TLanes.All(0), sums + j);
                TLanes.Store(TLanes.All(0), products + j);
            }

            for (var row = 0; row < rows && work->Phase != BatchNormPhase.Result; row++)
            {
                var r = x + ((long)row * xStride);
                var back = dy + ((long)row * yStride);
                var given = y + ((long)row * yStride);
                var behind = dx + ((long)row * xStride);
                for (var j = 0; j < count; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.Load(r + j), TLanes.Load(saved + j));
                    var dz = TLanes.Load(back + j);
                    if (typeof(TFunction) != typeof(IdentityLanes))
                    {
                        var at = TFunction.NeedsInput
                            ? TLanes.MultiplyAdd(c, TLanes.Load(saved + (2 * step) + j), TLanes.Load(saved + (3 * step) + j))
                            : TLanes.Load(given + j);
                        dz = TFunction.Back<TLanes, T>(dz, at, slope);
                        if (work->Dx is not null) TLanes.Store(dz, behind + j);
                    }

                    TLanes.Store(TLanes.Add(TLanes.Load(sums + j), dz), sums + j);
                    TLanes.Store(TLanes.MultiplyAdd(dz, c, TLanes.Load(products + j)), products + j);
                }
            }

            var inverse = TLanes.All(work->Phase == BatchNormPhase.Both ? 1f / rows : work->InverseCount);
            for (var j = 0; j < count; j += TLanes.Count)
            {
                var deviation = TLanes.Load(saved + step + j);
                var isResult = work->Phase == BatchNormPhase.Result;
                var sum = TLanes.Load(isResult ? work->Sums + channel + j : sums + j);
                var product = TLanes.Load(isResult ? work->Sums + work->Channels + channel + j : products + j);
                var dGamma = TLanes.Multiply(product, deviation);
                if (!isResult)
                {
                    AddTo<TLanes, T>(work->DGamma, channel + j, slice, dGamma);
                    AddTo<TLanes, T>(work->DBeta, channel + j, slice, sum);
                }

                if (work->Phase == BatchNormPhase.Sums)
                {
                    TLanes.Store(sum, work->Sums + channel + j);
                    TLanes.Store(product, work->Sums + work->Channels + channel + j);
                    continue;
                }

                // What is left: dx = s·dz − c·slope − offset.
                var share = TLanes.Multiply(TLanes.Load(saved + (2 * step) + j), inverse);
                TLanes.Store(TLanes.Multiply(share, sum), sums + j);
                TLanes.Store(TLanes.Multiply(TLanes.Multiply(share, deviation), dGamma), products + j);
            }

            if (work->Dx is null || work->Phase == BatchNormPhase.Sums) continue;
            for (var row = 0; row < rows; row++)
            {
                var r = x + ((long)row * xStride);
                var behind = dx + ((long)row * xStride);
                var back = typeof(TFunction) != typeof(IdentityLanes) ? behind : dy + ((long)row * yStride);
                for (var j = 0; j < count; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.Load(saved + j), TLanes.Load(r + j));
                    var direct = TLanes.MultiplyAdd(
                        TLanes.Load(back + j), TLanes.Load(saved + (2 * step) + j), TLanes.Multiply(c, TLanes.Load(products + j)));
                    TLanes.Store(TLanes.Subtract(direct, TLanes.Load(sums + j)), behind + j);
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
        var slope = work->Slope;
        for (var slice = 0; slice < work->Slices; slice++)
        {
            var (from, to) = (work->FirstRow(slice), work->FirstRow(slice + 1));
            var saved = work->Saved + ((long)slice * work->Channels) + channel;
            var (mean, deviation, scale, shift) = (*saved, saved[step], saved[2 * step], saved[3 * step]);
            double total = 0, product = 0;
            for (var row = from; row < to && work->Phase != BatchNormPhase.Result; row++)
            {
                var offset = (row * rowStride) + ((long)channel * positions);
                var x = work->X + offset;
                var y = work->Y + offset;
                var dy = work->Dy + offset;
                var dx = work->Dx + offset;
                var (sum, products) = (TLanes.All(0), TLanes.All(0));
                var (rest, restProducts) = (0f, 0f);
                for (var j = 0; j < whole; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.Load(x + j), TLanes.All(mean));
                    var dz = TLanes.Load(dy + j);
                    if (typeof(TFunction) != typeof(IdentityLanes))
                    {
                        var at = TFunction.NeedsInput ? TLanes.MultiplyAdd(c, TLanes.All(scale), TLanes.All(shift)) : TLanes.Load(y + j);
                        dz = TFunction.Back<TLanes, T>(dz, at, TLanes.All(slope));
                        if (work->Dx is not null) TLanes.Store(dz, dx + j);
                    }

                    sum = TLanes.Add(sum, dz);
                    products = TLanes.MultiplyAdd(dz, c, products);
                }

                for (var j = whole; j < positions; j++)
                {
                    var c = x[j] - mean;
                    var dz = dy[j];
                    if (typeof(TFunction) != typeof(IdentityLanes))
                    {
                        var at = TFunction.NeedsInput ? Lanes1.MultiplyAdd(c, scale, shift) : y[j];
                        dz = TFunction.Back<Lanes1, float>(dz, at, slope);
                        if (work->Dx is not null) dx[j] = dz;
                    }

                    rest += dz;
                    restProducts += dz * c;
                }

                total += TLanes.Sum(sum) + rest;
                product += TLanes.Sum(products) + restProducts;
            }

            if (work->Phase == BatchNormPhase.Result)
                (total, product) = (work->Sums[channel], work->Sums[work->Channels + channel]);
            var dGamma = (float)product * deviation;
            if (work->Phase != BatchNormPhase.Result)
            {
                AddTo<Lanes1, float>(work->DGamma, channel, slice, dGamma);
                AddTo<Lanes1, float>(work->DBeta, channel, slice, (float)total);
            }

            if (work->Phase == BatchNormPhase.Sums)
                (work->Sums[channel], work->Sums[work->Channels + channel]) = ((float)total, (float)product);
            if (work->Dx is null || work->Phase == BatchNormPhase.Sums) continue;
            var share = work->Phase == BatchNormPhase.Both ? scale / ((float)(to - from) * positions) : scale * work->InverseCount;
            var (turn, shared) = (share * deviation * dGamma, share * (float)total);
            for (var row = from; row < to; row++)
            {
                var offset = (row * rowStride) + ((long)channel * positions);
                var x = work->X + offset;
                var dx = work->Dx + offset;
                var back = typeof(TFunction) != typeof(IdentityLanes) ? dx : work->Dy + offset;
                for (var j = 0; j < whole; j += TLanes.Count)
                {
                    var c = TLanes.Subtract(TLanes.All(mean), TLanes.Load(x + j));
                    var direct = TLanes.MultiplyAdd(TLanes.Load(back + j), TLanes.All(scale), TLanes.Multiply(c, TLanes.All(turn)));
                    TLanes.Store(TLanes.Subtract(direct, TLanes.All(shared)), dx + j);
                }

                for (var j = whole; j < positions; j++)
                    dx[j] = Lanes1.MultiplyAdd(back[j], scale, (mean - x[j]) * turn) - shared;
            }
        }
    }

    // The sum over the slices.
    private static void AddTo<TLanes, T>(float* gradient, int channel, int slice, T value)
        where TLanes : ILanes<T>
        where T : struct
    {
        if (gradient is null) return;
        TLanes.Store(slice == 0 ? value : TLanes.Add(TLanes.Load(gradient + channel), value), gradient + channel);
    }
}

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>
/// What both directions of batch normalization have in common: the channels, how they lie, slices of the batch, and the activation that is
/// applied behind.
/// </summary>
/// <param name="Shape">The shape of a row, channels first.</param>
/// <param name="GhostBatchSize">The rows in a slice of the batch; 0 = the batch as a whole.</param>
/// <param name="Function">The activation behind.</param>
/// <param name="Slope">Its slope for negative numbers, if it has one.</param>
/// <param name="InputGroups">Groups of channels that x comes in, one behind the other, <c>[G, N, C/G]</c>; 1 = <c>[N, C]</c>.</param>
/// <param name="OutputGroups">The same for y.</param>
internal sealed record BatchNormForm(
    IReadOnlyList<long> Shape, int GhostBatchSize, LaneFunction Function, float Slope, int InputGroups, int OutputGroups)
{
    /// <summary>The most axes of a tensor: rows, channels, height and width.</summary>
    public const int MostAxes = 4;

    /// <summary>The number of channels.</summary>
    public int Channels { get; } = (int)Shape[0];

    /// <summary>The values of a channel in a row.</summary>
    public int Positions { get; } = (int)Shape.Skip(1).Aggregate(1L, (product, size) => product * size);

    /// <summary>Whether the way back reads y.</summary>
    public bool NeedsOutput => Function is LaneFunction.Sigmoid or LaneFunction.Tanh;

    /// <summary>The form as attributes of a node.</summary>
    public NodeArgument[] Attributes =>
    [
        ("shape", Shape.ToArray()), ("ghost", GhostBatchSize), ("function", (long)Function), ("slope", Slope),
        ("inputGroups", InputGroups), ("outputGroups", OutputGroups),
    ];

    /// <summary>Reads the attributes of a node.</summary>
    public static BatchNormForm Of(in KernelAttributes attributes) => new(
        attributes.Integers("shape"),
        attributes.Integer("ghost"),
        (LaneFunction)attributes.Integer("function"),
        attributes.Float("slope"),
        attributes.Integer("inputGroups"),
        attributes.Integer("outputGroups"));

    /// <summary>The shape of a tensor of so many rows, in groups or not.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="groups">The groups.</param>
    /// <param name="sizes">Room for it.</param>
    /// <returns>The part of the room that it takes.</returns>
    public ReadOnlySpan<long> TensorShape(long rows, int groups, Span<long> sizes)
    {
        if (groups > 1)
        {
            (sizes[0], sizes[1], sizes[2]) = (groups, rows, Channels / groups);
            return sizes[..3];
        }

        sizes[0] = rows;
        for (var i = 0; i < Shape.Count; i++) sizes[i + 1] = Shape[i];
        return sizes[..(Shape.Count + 1)];
    }

    /// <summary>The slices of a batch: row i belongs to slice ⌊i·K/N⌋.</summary>
    public int Slices(int rows) => GhostBatchSize == 0
        ? 1
        : Math.Max(1, (int)Math.Ceiling(((double)rows / GhostBatchSize) - 0.5));
}

/// <summary>
/// The forward pass of batch normalization in training (Ioffe and Szegedy 2015, Algorithm 1), with the activation behind it: y, what the
/// way back needs (<c>saved</c>, <c>[4, K, C]</c> for K slices: mean, 1/√(σ²+ε), scale and shift of y = (x − mean)·scale + shift), and the
/// batch's mean and variance, <c>[C]</c>. Inputs: x, gamma and beta, <c>[C]</c>.
/// </summary>
internal sealed class BatchNormOperator() : OwnOperator(Name, 3, 4)
{
    public new const string Name = "BatchNorm";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new BatchNormKernel(
        BatchNormForm.Of(attributes), attributes.Float("epsilon"), attributes.Integer("unbiased") != 0);
}

/// <summary>
/// The way back. Inputs: dy, x, what the forward pass saved, and y where the activation needs it. Outputs: dx, dγ and dβ, <c>[C]</c>. With
/// dz behind the activation, c = x − mean and i = 1/√(σ²+ε): dβ = Σdz, dγ = i·Σ(dz·c), dx = s·dz − c·s·i·dγ/m − s·Σdz/m.
/// </summary>
internal sealed class BatchNormGradientOperator() : OwnOperator(Name, 4, 3)
{
    public new const string Name = "BatchNormGradient";

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new BatchNormGradientKernel(BatchNormForm.Of(attributes));
}

/// <summary>Where the rows of a batch normalization lie, and how the work is divided: by channels, so that sums never are.</summary>
internal unsafe struct BatchNormWork
{
    /// <summary>The most channels of a part.</summary>
    public const int PartWidth = 64;

    // Below, handing out the parts takes longer than doing them.
    private const long LeastShared = 1 << 15;

    public int Rows, Slices, Channels, Positions, InputGroups, OutputGroups, PartsPerGroup, GroupWidth;
    public float Epsilon, Slope;
    public bool IsUnbiased;
    public LaneFunction Function;
    public float* X, Y, Dy, Dx, Gamma, Beta, Saved, Mean, Variance, DGamma, DBeta;

    public static BatchNormWork Of(BatchNormForm form, KernelContext.Tensor x)
    {
        var groups = Math.Max(form.InputGroups, form.OutputGroups);
        var width = form.Channels / groups;
        var rows = (int)(x.Count / ((long)form.Channels * form.Positions));
        return new BatchNormWork
        {
            Rows = rows,
            Slices = form.Slices(rows),
            Channels = form.Channels,
            Positions = form.Positions,
            InputGroups = form.InputGroups,
            OutputGroups = form.OutputGroups,
            PartsPerGroup = (width + PartWidth - 1) / PartWidth,
            GroupWidth = width,
            Slope = form.Slope,
            Function = form.Function,
            X = (float*)x.Numbers,
        };
    }

    /// <summary>Does all parts.</summary>
    /// <param name="context">The node.</param>
    /// <param name="work">The work.</param>
    /// <param name="shared">Does one part, called by ONNX Runtime's threads.</param>
    /// <param name="part">The same, called from here.</param>
    public static void Run(
        KernelContext context,
        BatchNormWork* work,
        delegate* unmanaged<void*, nuint, void> shared,
        delegate*<BatchNormWork*, int, void> part)
    {
        var parts = work->Channels / work->GroupWidth * work->PartsPerGroup;
        if (parts > 1 && (long)work->Rows * work->Channels * work->Positions >= LeastShared) context.InParallel(shared, parts, work);
        else
            for (var i = 0; i < parts; i++) part(work, i);
    }

    /// <summary>The channels of a part.</summary>
    public readonly (int First, int Count) Part(int index)
    {
        var (group, within) = Math.DivRem(index, PartsPerGroup);
        var first = within * PartWidth;
        return ((group * GroupWidth) + first, Math.Min(PartWidth, GroupWidth - first));
    }

    /// <summary>The first row of a slice.</summary>
    public readonly int FirstRow(int slice) => (int)((((long)slice * Rows) + Slices - 1) / Slices);

    /// <summary>Where a channel's value in the first row lies in a tensor of so many groups, and how far the next row is.</summary>
    public readonly (long Offset, int Stride) At(int channel, int groups)
    {
        var width = Channels / groups;
        return (((long)(channel / width) * width * Rows) + (channel % width), width);
    }
}

/// <summary>The forward pass of one node.</summary>
internal sealed unsafe class BatchNormKernel(BatchNormForm form, float epsilon, bool isUnbiased) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var work = BatchNormWork.Of(form, context.Input(0));
        work.Epsilon = epsilon;
        work.IsUnbiased = isUnbiased;
        work.Gamma = context.Numbers(1);
        work.Beta = context.Numbers(2);
        work.Y = context.Output(0, form.TensorShape(work.Rows, form.OutputGroups, stackalloc long[BatchNormForm.MostAxes]));
        work.Saved = context.Output(1, 4, work.Slices, work.Channels);
        work.Mean = context.Output(2, work.Channels);
        work.Variance = context.Output(3, work.Channels);
        BatchNormWork.Run(context, &work, &SharedPart, &Part);
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((BatchNormWork*)work, (int)index);

    private static void Part(BatchNormWork* work, int index)
    {
        switch (work->Function)
        {
            case LaneFunction.Relu: Part<ReluLanes>(work, index); break;
            case LaneFunction.LeakyRelu: Part<LeakyReluLanes>(work, index); break;
            case LaneFunction.Sigmoid: Part<SigmoidLanes>(work, index); break;
            case LaneFunction.Tanh: Part<TanhLanes>(work, index); break;
            case LaneFunction.Silu: Part<SiluLanes>(work, index); break;
            case LaneFunction.Gelu: Part<GeluLanes>(work, index); break;
            default: Part<IdentityLanes>(work, index); break;
        }
    }

    private static void Part<TFunction>(BatchNormWork* work, int index)
        where TFunction : ILaneFunction
    {
        var (first, count) = work->Part(index);
        if (work->Positions > 1)
        {
            for (var channel = first; channel < first + count; channel++)
            {
                if (Vector512.IsHardwareAccelerated) Channel<Lanes512, Vector512<float>, TFunction>(work, channel);
                else if (Vector256.IsHardwareAccelerated) Channel<Lanes256, Vector256<float>, TFunction>(work, channel);
                else Channel<Lanes128, Vector128<float>, TFunction>(work, channel);
            }

            return;
        }

        var done = 0;
        if (Vector512.IsHardwareAccelerated) done += Columns<Lanes512, Vector512<float>, TFunction>(work, first + done, count - done);
        if (Vector256.IsHardwareAccelerated) done += Columns<Lanes256, Vector256<float>, TFunction>(work, first + done, count - done);
        done += Columns<Lanes128, Vector128<float>, TFunction>(work, first + done, count - done);
        Columns<Lanes1, float, TFunction>(work, first + done, count - done);
    }

    // Channels side by side: as many as fill vectors. Each has its own lane, so its sums are the same whatever the width.
    private static int Columns<TLanes, T, TFunction>(BatchNormWork* work, int channel, int count)
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

            // Sums over the rows, then of distances from the mean and of their squares.
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

            for (var j = 0; j < count; j += TLanes.Count)
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

            for (row = 0; row < rows; row++)
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

    // One channel of images: its positions lie side by side.
    private static void Channel<TLanes, T, TFunction>(BatchNormWork* work, int channel)
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
            var inverse = 1f / ((float)(to - from) * positions);
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

            var variance = (float)(squares * inverse);
            var deviation = 1 / MathF.Sqrt(variance + work->Epsilon);
            var scale = work->Gamma is null ? deviation : work->Gamma[channel] * deviation;
            var shift = (work->Beta is null ? 0 : work->Beta[channel]) - ((float)(distances * inverse) * scale);
            (*saved, saved[step], saved[2 * step], saved[3 * step]) = (mean, deviation, scale, shift);
            Statistics<Lanes1, float>(work, slice, (to - from) * positions, channel, mean, variance);
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

/// <summary>The way back of one node.</summary>
internal sealed unsafe class BatchNormGradientKernel(BatchNormForm form) : OwnKernel
{
    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        var work = BatchNormWork.Of(form, context.Input(1));
        work.Dy = context.Numbers(0);
        work.Saved = context.Numbers(2);
        work.Y = context.Numbers(3);
        work.Dx = context.Output(0, form.TensorShape(work.Rows, form.InputGroups, stackalloc long[BatchNormForm.MostAxes]));
        work.DGamma = context.Output(1, work.Channels);
        work.DBeta = context.Output(2, work.Channels);
        BatchNormWork.Run(context, &work, &SharedPart, &Part);
    }

    [UnmanagedCallersOnly]
    private static void SharedPart(void* work, nuint index) => Part((BatchNormWork*)work, (int)index);

    private static void Part(BatchNormWork* work, int index)
    {
        switch (work->Function)
        {
            case LaneFunction.Relu: Part<ReluLanes>(work, index); break;
            case LaneFunction.LeakyRelu: Part<LeakyReluLanes>(work, index); break;
            case LaneFunction.Sigmoid: Part<SigmoidLanes>(work, index); break;
            case LaneFunction.Tanh: Part<TanhLanes>(work, index); break;
            case LaneFunction.Silu: Part<SiluLanes>(work, index); break;
            case LaneFunction.Gelu: Part<GeluLanes>(work, index); break;
            default: Part<IdentityLanes>(work, index); break;
        }
    }

    private static void Part<TFunction>(BatchNormWork* work, int index)
        where TFunction : ILaneFunction
    {
        var (first, count) = work->Part(index);
        if (work->Positions > 1)
        {
            for (var channel = first; channel < first + count; channel++)
            {
                if (Vector512.IsHardwareAccelerated) Channel<Lanes512, Vector512<float>, TFunction>(work, channel);
                else if (Vector256.IsHardwareAccelerated) Channel<Lanes256, Vector256<float>, TFunction>(work, channel);
                else Channel<Lanes128, Vector128<float>, TFunction>(work, channel);
            }

            return;
        }

        var done = 0;
        if (Vector512.IsHardwareAccelerated) done += Columns<Lanes512, Vector512<float>, TFunction>(work, first + done, count - done);
        if (Vector256.IsHardwareAccelerated) done += Columns<Lanes256, Vector256<float>, TFunction>(work, first + done, count - done);
        done += Columns<Lanes128, Vector128<float>, TFunction>(work, first + done, count - done);
        Columns<Lanes1, float, TFunction>(work, first + done, count - done);
    }

    private static int Columns<TLanes, T, TFunction>(BatchNormWork* work, int channel, int count)
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

            for (var row = 0; row < rows; row++)
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

            var inverse = TLanes.All(1f / rows);
            for (var j = 0; j < count; j += TLanes.Count)
            {
                var deviation = TLanes.Load(saved + step + j);
                var sum = TLanes.Load(sums + j);
                var dGamma = TLanes.Multiply(TLanes.Load(products + j), deviation);
                AddTo<TLanes, T>(work->DGamma, channel + j, slice, dGamma);
                AddTo<TLanes, T>(work->DBeta, channel + j, slice, sum);

                // What is left: dx = s·dz − c·slope − offset.
                var share = TLanes.Multiply(TLanes.Load(saved + (2 * step) + j), inverse);
                TLanes.Store(TLanes.Multiply(share, sum), sums + j);
                TLanes.Store(TLanes.Multiply(TLanes.Multiply(share, deviation), dGamma), products + j);
            }

            if (work->Dx is null) continue;
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

    private static void Channel<TLanes, T, TFunction>(BatchNormWork* work, int channel)
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
            for (var row = from; row < to; row++)
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

            var dGamma = (float)product * deviation;
            AddTo<Lanes1, float>(work->DGamma, channel, slice, dGamma);
            AddTo<Lanes1, float>(work->DBeta, channel, slice, (float)total);
            if (work->Dx is null) continue;
            var share = scale / ((float)(to - from) * positions);
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

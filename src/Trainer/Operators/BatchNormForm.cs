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
    /// <summary>The sizes of a row.</summary>
    public long[] Row { get; } = [.. Shape];

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

    /// <summary>The slices of a batch: row i belongs to slice ⌊i·K/N⌋.</summary>
    public int Slices(int rows) => GhostBatchSize == 0
        ? 1
        : Math.Max(1, (int)Math.Ceiling(((double)rows / GhostBatchSize) - 0.5));
}

/// <summary>What is done of one direction of batch normalization: all at once, or what comes before and after the ranks have met.</summary>
internal enum BatchNormPhase
{
    /// <summary>Sums, and what follows from them.</summary>
    Both,

    /// <summary>The sums of this rank's rows.</summary>
    Sums,

    /// <summary>What follows from the sums of all.</summary>
    Result,
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
    public BatchNormPhase Phase;
    public float* X, Y, Dy, Dx, Gamma, Beta, Saved, Mean, Variance, DGamma, DBeta;

    /// <summary>On the way back over ranks: Σdz and Σ(dz·c) of each channel, <c>[2, C]</c>, and 1/m with the m of all ranks.</summary>
    public float* Sums;
    public float InverseCount;

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
    /// <param name="shared">
    /// Does one part by <see cref="RunPart"/>, called by ONNX Runtime's threads, which call nothing that is generic.
    /// </param>
    /// <typeparam name="TDirection">The direction.</typeparam>
    public static void Run<TDirection>(
        KernelContext context, BatchNormWork* work, delegate* unmanaged<void*, nuint, void> shared)
        where TDirection : IBatchNormDirection
    {
        var parts = work->Channels / work->GroupWidth * work->PartsPerGroup;
        if (parts > 1 && (long)work->Rows * work->Channels * work->Positions >= LeastShared) context.InParallel(shared, parts, work);
        else
            for (var i = 0; i < parts; i++) RunPart<TDirection>(work, i);
    }

    /// <summary>Does one part.</summary>
    public static void RunPart<TDirection>(BatchNormWork* work, int index)
        where TDirection : IBatchNormDirection
    {
        switch (work->Function)
        {
            case LaneFunction.Relu: RunChannels<TDirection, ReluLanes>(work, index); break;
            case LaneFunction.LeakyRelu: RunChannels<TDirection, LeakyReluLanes>(work, index); break;
            case LaneFunction.Sigmoid: RunChannels<TDirection, SigmoidLanes>(work, index); break;
            case LaneFunction.Tanh: RunChannels<TDirection, TanhLanes>(work, index); break;
            case LaneFunction.Silu: RunChannels<TDirection, SiluLanes>(work, index); break;
            case LaneFunction.Gelu: RunChannels<TDirection, GeluLanes>(work, index); break;
            default: RunChannels<TDirection, IdentityLanes>(work, index); break;
        }
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

    private static void RunChannels<TDirection, TFunction>(BatchNormWork* work, int index)
        where TDirection : IBatchNormDirection
        where TFunction : ILaneFunction
    {
        var (first, count) = work->Part(index);
        if (work->Positions > 1)
        {
            for (var channel = first; channel < first + count; channel++)
            {
                if (Vector512.IsHardwareAccelerated) TDirection.Channel<Lanes512, Vector512<float>, TFunction>(work, channel);
                else if (Vector256.IsHardwareAccelerated) TDirection.Channel<Lanes256, Vector256<float>, TFunction>(work, channel);
                else TDirection.Channel<Lanes128, Vector128<float>, TFunction>(work, channel);
            }

            return;
        }

        var done = 0;
        if (Vector512.IsHardwareAccelerated) done += Columns<Lanes512, Vector512<float>>();
        if (Vector256.IsHardwareAccelerated) done += Columns<Lanes256, Vector256<float>>();
        done += Columns<Lanes128, Vector128<float>>();
        Columns<Lanes1, float>();

        int Columns<TLanes, T>()
            where TLanes : ILanes<T>
            where T : struct => TDirection.Columns<TLanes, T, TFunction>(work, first + done, count - done);
    }
}

/// <summary>What one direction of batch normalization does with its channels.</summary>
internal unsafe interface IBatchNormDirection
{
    /// <summary>
    /// Channels side by side, as many as fill vectors; how many were done comes back. Each has its own lane, so its sums are the same
    /// whatever the width.
    /// </summary>
    static abstract int Columns<TLanes, T, TFunction>(BatchNormWork* work, int channel, int count)
        where TLanes : ILanes<T>
        where T : struct
        where TFunction : ILaneFunction;

    /// <summary>One channel of images: its positions lie side by side.</summary>
    static abstract void Channel<TLanes, T, TFunction>(BatchNormWork* work, int channel)
        where TLanes : ILanes<T>
        where T : struct
        where TFunction : ILaneFunction;
}

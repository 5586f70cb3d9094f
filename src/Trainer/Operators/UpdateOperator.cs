using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>What an update of all parameters is made of.</summary>
/// <param name="IsAdam">Adam, rather than gradient descent.</param>
/// <param name="First">The momentum, or Adam's β₁.</param>
/// <param name="Second">Adam's β₂.</param>
/// <param name="IsNesterov">Whether the momentum is Nesterov's.</param>
/// <param name="LargestNorm">The largest norm of all gradients together; 0 = no limit.</param>
/// <param name="Slots">The vectors that the optimizer keeps for each group.</param>
/// <param name="IsAveraged">Whether each group has an average of its values as well.</param>
/// <param name="Decays">The weight decay of each group; Adam's is a factor among the inputs, and applies where this is above 0.</param>
/// <param name="Gradients">The gradients of each group.</param>
/// <param name="Moved">
/// Which of all gradients, counted through the groups, are none, but the values after the step, which lie where they belong already.
/// </param>
/// <param name="Statistics">The parts that the running statistics follow; 0 = there are none.</param>
internal sealed record UpdateForm(
    bool IsAdam,
    float First,
    float Second,
    bool IsNesterov,
    float LargestNorm,
    int Slots,
    bool IsAveraged,
    IReadOnlyList<float> Decays,
    IReadOnlyList<long> Gradients,
    IReadOnlyList<long> Moved,
    int Statistics)
{
    /// <summary>The vectors that are made for each group: its values, the optimizer's, and the average.</summary>
    public int VectorsPerGroup => 1 + Slots + (IsAveraged ? 1 : 0);

    /// <summary>The form as attributes of a node.</summary>
    public NodeArgument[] Attributes =>
    [
        ("adam", IsAdam ? 1 : 0), ("first", First), ("second", Second), ("nesterov", IsNesterov ? 1 : 0), ("norm", LargestNorm),
        ("slots", Slots), ("averaged", IsAveraged ? 1 : 0), ("decays", Decays.ToArray()), ("gradients", Gradients.ToArray()),
        ("moved", Moved.ToArray()), ("statistics", Statistics),
    ];

    /// <summary>Reads the attributes of a node.</summary>
    public static UpdateForm Of(in KernelAttributes attributes) => new(
        attributes.Integer("adam") != 0,
        attributes.Float("first"),
        attributes.Float("second"),
        attributes.Integer("nesterov") != 0,
        attributes.Float("norm"),
        attributes.Integer("slots"),
        attributes.Integer("averaged") != 0,
        attributes.Floats("decays"),
        attributes.Integers("gradients"),
        attributes.Integers("moved"),
        attributes.Integer("statistics"));
}

/// <summary>
/// The update of all parameters and running statistics in one pass, without joining gradients to vectors first. Inputs: four scalars (the
/// learning rate, or Adam's corrected one; Adam's corrected ε; the factor of AdamW's decay; the rate of the average), the rate of the
/// statistics, then for each group its values, the optimizer's vectors, the average and the gradients; last the running statistics and the
/// batch's values; behind them may stand what is only waited for. Outputs: for each group the same vectors after the step, then the
/// statistics. The formulas are those of <see cref="Optimizer"/>.
/// </summary>
/// <param name="ofRanks">Whether gradients are sums over ranks, whose mean is meant, and that have to be waited for first.</param>
internal sealed class UpdateOperator(bool ofRanks = false) : OwnOperator(ofRanks ? OfRanks : Name, 1, 1, isVariadic: true)
{
    public new const string Name = "Update";

    /// <summary>The name where there are ranks.</summary>
    public const string OfRanks = "UpdateOfRanks";

    /// <summary>The inputs in front of the first group.</summary>
    public const int Scalars = 5;

    /// <inheritdoc/>
    public override OwnKernel CreateKernel(in KernelAttributes attributes) => new UpdateKernel(
        UpdateForm.Of(attributes), ofRanks ? Communicator.Of(attributes.Integer("ranks")) : null);
}

/// <summary>The update of one node.</summary>
internal sealed unsafe class UpdateKernel(UpdateForm form, Communicator? ranks) : OwnKernel
{
    // Numbers that are updated together, at least; and the most such parts, so that sums of squares over them fit on the stack.
    private const int LeastPart = 4096;
    private const int MostParts = 512;
    private const long LeastShared = 1 << 16;

    // What makes means of sums.
    private readonly float _share = 1f / (ranks?.Size ?? 1);
    private readonly int _segments = (int)form.Gradients.Sum() - form.Moved.Count + form.Statistics;
    private readonly HashSet<long> _moved = [.. form.Moved];

    /// <inheritdoc/>
    public override void Compute(KernelContext context)
    {
        ranks?.FinishSums();
        var segments = stackalloc Segment[_segments];
        var work = new Work
        {
            Segments = segments,
            SegmentCount = _segments,
            IsAdam = form.IsAdam,
            HasMomentum = !form.IsAdam && form.Slots > 0,
            IsNesterov = form.IsNesterov,
            First = form.First,
            Second = form.Second,
            Factor = _share,
            Rate = *context.Numbers(0),
            Epsilon = *context.Numbers(1),
            Keep = *context.Numbers(2),
            AverageRate = *context.Numbers(3),
            StatisticsRate = *context.Numbers(4),
        };
        var total = Gather(context, segments);
        work.PartSize = (int)Math.Max(LeastPart, (total + MostParts - 1) / MostParts);
        var parts = 0;
        for (var i = 0; i < _segments; i++)
        {
            segments[i].FirstPart = parts;
            parts += (int)((segments[i].Count + work.PartSize - 1) / work.PartSize);
        }

        var isShared = total >= LeastShared;
        if (form.LargestNorm > 0)
        {
            var squares = stackalloc double[parts];
            work.Squares = squares;
            if (isShared) context.InParallel(&SharedSquares, parts, &work);
            else
                for (var i = 0; i < parts; i++) SumSquares(&work, i);
            double sum = 0;
            for (var i = 0; i < parts; i++) sum += squares[i];
            work.Factor = _share * MathF.Min(form.LargestNorm / ((_share * (float)Math.Sqrt(sum)) + 1e-6f), 1);
        }

        if (isShared) context.InParallel(&SharedUpdate, parts, &work);
        else
            for (var i = 0; i < parts; i++) Update(&work, i);
    }

    // Reads all inputs and makes all outputs: a segment for each gradient.
    private long Gather(KernelContext context, Segment* segments)
    {
        var (input, output, next) = (UpdateOperator.Scalars, 0, 0);
        long total = 0, index = 0;
        for (var group = 0; group < form.Decays.Count; group++)
        {
            var values = context.Input(input);
            var segment = new Segment { Decay = form.Decays[group], Current = (float*)values.Numbers };
            segment.Next = context.Output(output, values.Count);
            if (form.Slots > 0)
            {
                segment.First = context.Numbers(input + 1);
                segment.FirstNext = context.Output(output + 1, values.Count);
            }

            if (form.Slots > 1)
            {
                segment.Second = context.Numbers(input + 2);
                segment.SecondNext = context.Output(output + 2, values.Count);
            }

            if (form.IsAveraged)
            {
                segment.Average = context.Numbers(input + 1 + form.Slots);
                segment.AverageNext = context.Output(output + 1 + form.Slots, values.Count);
            }

            input += form.VectorsPerGroup;
            output += form.VectorsPerGroup;
            total += Split(context, segment, segments, ref next, ref index, input, (int)form.Gradients[group], values.Count);
            input += (int)form.Gradients[group];
        }

        if (form.Statistics > 0)
        {
            var values = context.Input(input);
            var segment = new Segment
            {
                IsStatistic = true,
                Current = (float*)values.Numbers,
                Next = context.Output(output, values.Count),
            };
            total += Split(context, segment, segments, ref next, ref index, input + 1, form.Statistics, values.Count);
        }

        return total;
    }

    // A segment for each gradient; gives how many numbers there are to update.
    private long Split(
        KernelContext context, Segment segment, Segment* segments, ref int next, ref long index, int input, int count, long length)
    {
        long total = 0;
        for (var i = 0; i < count; i++)
        {
            var gradient = context.Input(input + i);
            segment.Gradient = (float*)gradient.Numbers;
            segment.Count = gradient.Count;
            if (!_moved.Contains(index++))
            {
                segments[next++] = segment;
                total += gradient.Count;
            }

            length -= gradient.Count;
            segment.Move(gradient.Count);
        }

        return length == 0
            ? total
            : throw new InvalidOperationException(
                $"The gradients of an update have {-length} numbers more than the parameters that they are for.");
    }

    [UnmanagedCallersOnly]
    private static void SharedSquares(void* work, nuint part) => SumSquares((Work*)work, (int)part);

    [UnmanagedCallersOnly]
    private static void SharedUpdate(void* work, nuint part) => Update((Work*)work, (int)part);

    private static void SumSquares(Work* work, int part)
    {
        var (segment, from, count) = work->Part(part);
        work->Squares[part] = 0;
        if (segment.IsStatistic) return;
        var done = 0;
        if (Vector512.IsHardwareAccelerated)
            work->Squares[part] += SumSquares<Lanes512, Vector512<float>>(segment.Gradient + from, count, ref done);
        else work->Squares[part] += SumSquares<Lanes128, Vector128<float>>(segment.Gradient + from, count, ref done);
        work->Squares[part] += SumSquares<Lanes1, float>(segment.Gradient + from, count, ref done);
    }

    private static double SumSquares<TLanes, T>(float* gradient, int count, ref int done)
        where TLanes : ILanes<T>
        where T : struct
    {
        var sum = TLanes.All(0);
        for (; done + TLanes.Count <= count; done += TLanes.Count)
        {
            var g = TLanes.Load(gradient + done);
            sum = TLanes.MultiplyAdd(g, g, sum);
        }

        return TLanes.Sum(sum);
    }

    private static void Update(Work* work, int part)
    {
        var (segment, from, count) = work->Part(part);
        segment.Move(from);
        segment.Gradient += from;
        var done = 0;
        if (Vector512.IsHardwareAccelerated) done = Update<Lanes512, Vector512<float>>(work, segment, done, count);
        if (Vector256.IsHardwareAccelerated) done = Update<Lanes256, Vector256<float>>(work, segment, done, count);
        done = Update<Lanes128, Vector128<float>>(work, segment, done, count);
        Update<Lanes1, float>(work, segment, done, count);
    }

    private static int Update<TLanes, T>(Work* work, Segment segment, int done, int count)
        where TLanes : ILanes<T>
        where T : struct
    {
        if (done + TLanes.Count > count) return done;
        if (segment.IsStatistic)
        {
            var rate = TLanes.All(work->StatisticsRate);
            for (; done + TLanes.Count <= count; done += TLanes.Count)
            {
                var next = Towards<TLanes, T>(TLanes.Load(segment.Current + done), TLanes.Load(segment.Gradient + done), rate);
                TLanes.Store(next, segment.Next + done);
            }

            return done;
        }

        var start = done;
        done = work->IsAdam ? Adam<TLanes, T>(work, segment, done, count) : Descend<TLanes, T>(work, segment, done, count);
        if (segment.Average is not null)
            for (var i = start; i < done; i += TLanes.Count)
                TLanes.Store(
                    Towards<TLanes, T>(TLanes.Load(segment.Average + i), TLanes.Load(segment.Next + i), TLanes.All(work->AverageRate)),
                    segment.AverageNext + i);
        return done;
    }

    private static int Descend<TLanes, T>(Work* work, Segment segment, int done, int count)
        where TLanes : ILanes<T>
        where T : struct
    {
        var (factor, decay, momentum) = (TLanes.All(work->Factor), TLanes.All(segment.Decay), TLanes.All(work->First));
        var minusRate = TLanes.All(-work->Rate);
        for (; done + TLanes.Count <= count; done += TLanes.Count)
        {
            var current = TLanes.Load(segment.Current + done);
            var gradient = TLanes.Multiply(TLanes.Load(segment.Gradient + done), factor);
            if (segment.Decay > 0) gradient = TLanes.MultiplyAdd(current, decay, gradient);
            var direction = gradient;
            if (work->HasMomentum)
            {
                var velocity = TLanes.MultiplyAdd(TLanes.Load(segment.First + done), momentum, gradient);
                TLanes.Store(velocity, segment.FirstNext + done);
                direction = work->IsNesterov ? TLanes.MultiplyAdd(velocity, momentum, gradient) : velocity;
            }

            TLanes.Store(TLanes.MultiplyAdd(direction, minusRate, current), segment.Next + done);
        }

        return done;
    }

    private static int Adam<TLanes, T>(Work* work, Segment segment, int done, int count)
        where TLanes : ILanes<T>
        where T : struct
    {
        var (factor, beta1, beta2) = (TLanes.All(work->Factor), TLanes.All(work->First), TLanes.All(work->Second));
        var (rest1, rest2) = (TLanes.All(1 - work->First), TLanes.All(1 - work->Second));
        var (minusRate, epsilon) = (TLanes.All(-work->Rate), TLanes.All(work->Epsilon));
        var keep = TLanes.All(segment.Decay > 0 ? work->Keep : 1);
        for (; done + TLanes.Count <= count; done += TLanes.Count)
        {
            var gradient = TLanes.Multiply(TLanes.Load(segment.Gradient + done), factor);
            var mean = TLanes.MultiplyAdd(TLanes.Load(segment.First + done), beta1, TLanes.Multiply(gradient, rest1));
            var ofSquare = TLanes.Multiply(TLanes.Multiply(gradient, gradient), rest2);
            var square = TLanes.MultiplyAdd(TLanes.Load(segment.Second + done), beta2, ofSquare);
            TLanes.Store(mean, segment.FirstNext + done);
            TLanes.Store(square, segment.SecondNext + done);
            var direction = TLanes.Divide(mean, TLanes.Add(TLanes.Sqrt(square), epsilon));
            var current = TLanes.Multiply(TLanes.Load(segment.Current + done), keep);
            TLanes.Store(TLanes.MultiplyAdd(direction, minusRate, current), segment.Next + done);
        }

        return done;
    }

    // from + (to − from)·rate
    private static T Towards<TLanes, T>(T from, T to, T rate)
        where TLanes : ILanes<T>
        where T : struct => TLanes.MultiplyAdd(TLanes.Subtract(to, from), rate, from);

    /// <summary>A gradient, and where what it belongs to lies in its group's vectors.</summary>
    private struct Segment
    {
        public float* Gradient, Current, Next, First, FirstNext, Second, SecondNext, Average, AverageNext;
        public float Decay;
        public bool IsStatistic;
        public int FirstPart;
        public long Count;

        /// <summary>Goes on in the vectors; those that are not there stay so.</summary>
        public void Move(long count)
        {
            Current += count;
            Next += count;
            if (First is not null) First += count;
            if (FirstNext is not null) FirstNext += count;
            if (Second is not null) Second += count;
            if (SecondNext is not null) SecondNext += count;
            if (Average is not null) Average += count;
            if (AverageNext is not null) AverageNext += count;
        }
    }

    private struct Work
    {
        public Segment* Segments;
        public double* Squares;
        public int SegmentCount, PartSize;
        public bool IsAdam, HasMomentum, IsNesterov;
        public float First, Second, Factor, Rate, Epsilon, Keep, AverageRate, StatisticsRate;

        public readonly (Segment Segment, long From, int Count) Part(int index)
        {
            var i = SegmentCount - 1;
            while (Segments[i].FirstPart > index) i--;
            var from = (long)(index - Segments[i].FirstPart) * PartSize;
            return (Segments[i], from, (int)Math.Min(PartSize, Segments[i].Count - from));
        }
    }
}

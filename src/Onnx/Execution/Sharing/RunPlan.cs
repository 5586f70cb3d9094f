using System.Diagnostics;
using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>How the cores share a model's runs: what may be chosen, and what was learned.</summary>
/// <param name="Threads">The threads that share an operator of a lane's own session; 0 = all cores.</param>
/// <param name="Choice">Chooses the way of each call; null where all run as the lane's own session does.</param>
/// <param name="Pace">How long rows take on one thread of the processor; null where none run on one.</param>
internal sealed record RunPlan(int Threads, RunChoice? Choice, RowPace? Pace)
{
    // Calling a thread of the pool takes some microseconds, and it comes some tens of microseconds later.
    private static readonly TimeSpan LeastForEach = TimeSpan.FromMicroseconds(50);

    // Many enough to fill the matrix kernels, few enough for a core's own cache.
    private const int FixedRows = 256;

    /// <summary>A plan that leaves nothing to choose.</summary>
    public static RunPlan None { get; } = new(1, null, null);

    /// <summary>
    /// Batches are cut into parts of so many rows, whatever was measured, and all cores share those; null = as it is best. ONNX Runtime
    /// may give a row other last digits in a run of another size.
    /// </summary>
    public int? PartRows { get; private init; }

    /// <summary>A plan by which a row's result never depends on how long something took.</summary>
    /// <param name="threads">The threads of the lanes' sessions.</param>
    public static RunPlan Fixed(int threads) => new(threads, null, null) { PartRows = FixedRows };

    /// <summary>What there is to choose.</summary>
    /// <param name="threads">The threads of the lanes' sessions.</param>
    /// <param name="onCpu">Whether it is the processor that computes.</param>
    /// <param name="free">Whether the settings leave the choice.</param>
    /// <param name="twice">Whether the model may be loaded a second time.</param>
    /// <param name="pace">How long rows take on one thread.</param>
    public static RunPlan For(int threads, bool onCpu, bool free, bool twice, RowPace pace)
    {
        var choice = onCpu && free && Environment.ProcessorCount > 1 && (threads == 1 || twice)
            ? new RunChoice(sharedOperators: twice || threads != 1, Environment.ProcessorCount)
            : null;
        return new(threads, choice, onCpu && (threads == 1 || choice is not null) ? pace : null);
    }

    /// <summary>The threads that share the rows of a batch that is divided: as many as have enough to do.</summary>
    /// <param name="expected">The time that one would take.</param>
    public static int Sharing(TimeSpan expected) => (int)Math.Clamp(expected / LeastForEach, 1, Environment.ProcessorCount);

    /// <summary>The threads that may share the rows of a batch on the lane's own session, or on the other one.</summary>
    public int Workers(bool own) =>
        PartRows is not null || (Choice is not null && own == (Threads == 1)) ? Environment.ProcessorCount : 1;

    /// <summary>Decides how a call is to run.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="most">The most rows in one run, where nothing else is known.</param>
    /// <param name="canBeCut">Whether the rows can be divided.</param>
    /// <param name="decision">Takes the decision.</param>
    public void Decide(int rows, int most, bool canBeCut, RunDecision decision)
    {
        decision.Rows = canBeCut ? rows : 1;
        (decision.IsOwn, decision.Sharing, decision.Start, decision.IsFixed) = (true, 1, 0, false);
        if (PartRows is { } part && canBeCut)
        {
            (decision.Pace, decision.Most, decision.IsFixed) = (null, Math.Min(part, most), true);
            if (rows > decision.Most && Threads == 1) decision.Sharing = Environment.ProcessorCount;
            return;
        }

        if (Choice is null || Pace is null || !Pace.IsKnown)
        {
            decision.Pace = Threads == 1 ? Pace : null;
            decision.Most = decision.Pace is null ? most : Math.Min(decision.Pace.ChunkRows, most);
            return;
        }

        var expected = Pace.Predict(rows);

        if (RunChoice.IsShort(rows, expected))
        {
            (decision.Pace, decision.Most) = (null, most);
            return;
        }

        decision.Way = Choice.Next(decision.Rows, expected);
        decision.IsOwn = IsOwn(decision.Way);
        decision.Pace = decision.Way == RunWay.SharedOperators ? null : Pace;
        decision.Most = decision.Way == RunWay.SharedOperators ? most : Math.Min(Pace.ChunkRows, most);
        if (decision.Way == RunWay.Divided) decision.Sharing = Sharing(expected);
        decision.Start = Stopwatch.GetTimestamp();
    }

    /// <summary>The call has run.</summary>
    /// <param name="decision">How.</param>
    public void Report(RunDecision decision)
    {
        if (decision.Start != 0) Choice!.Report(decision.Rows, decision.Way, Stopwatch.GetElapsedTime(decision.Start));
    }

    /// <summary>Whether a call that goes that way runs on the lane's own session.</summary>
    public bool IsOwn(RunWay way) => (way == RunWay.SharedOperators) == (Threads != 1);
}

/// <summary>How one call is to run. Filled anew for each call by <see cref="RunPlan.Decide"/>; for one caller at a time.</summary>
/// <remarks>
/// Not a struct: copies of one of this size go through AVX registers, and native code that runs before these are cleared took 0.9 µs longer
/// for a row of 3.
/// </remarks>
internal sealed class RunDecision
{
    /// <summary>The rows that there is a choice for: 1 where the call cannot be cut.</summary>
    public int Rows { get; set; }

    /// <summary>The way.</summary>
    public RunWay Way { get; set; }

    /// <summary>Whether on the lane's own session, or on the other one.</summary>
    public bool IsOwn { get; set; } = true;

    /// <summary>The most rows in one run.</summary>
    public int Most { get; set; }

    /// <summary>Whether parts have <see cref="Most"/> rows, however many threads share them.</summary>
    public bool IsFixed { get; set; }

    /// <summary>The most threads that share the rows.</summary>
    public int Sharing { get; set; } = 1;

    /// <summary>Learns how long rows take on one thread; null where there is nothing to learn.</summary>
    public RowPace? Pace { get; set; }

    /// <summary>When it began; 0 where nobody asks how long it takes.</summary>
    public long Start { get; set; }
}

/// <summary>
/// How long rows take on one thread, as far as is known: one by itself, and one of many, as in the quickest run so far. What disturbs a run
/// only ever makes it slower.
/// </summary>
/// <remarks>Threads may report at once and overwrite each other: then something is learned a run later.</remarks>
internal sealed class RowPace
{
    /// <summary>The rows below which the matrix kernels are not filled, and large weights are read too often.</summary>
    public const int FewestRows = 32;

    // What a chunk's operators leave for each other should still be in the core's own cache, which holds what a core makes in about this
    // time; and a run's fixed costs, some microseconds, should not count.
    private const double ChunkMicroseconds = 1000;

    // Longer than any row takes, and yet 2^31 of them make a time span.
    private const double Unknown = 1e8;

    // A model's first runs are slow: it plans its memory, and nothing is in the caches.
    private const int RunsToKnow = 3;
    private static readonly TimeSpan LongRun = TimeSpan.FromMilliseconds(20);

    private int _runs;
    private double _alone = Unknown;
    private double _amongMany = Unknown;

    /// <summary>Whether there were runs enough to go by.</summary>
    public bool IsKnown => Volatile.Read(ref _runs) >= RunsToKnow;

    /// <summary>The rows that are best run at once on one core: a power of two, so that it stays the same when little is learned.</summary>
    public int ChunkRows => 1 << BitOperations.Log2((uint)Math.Max(FewestRows, ChunkMicroseconds / Volatile.Read(ref _amongMany)));

    /// <summary>
    /// About the time that so many rows take on one thread. A few take as long as one, where it is the weights that take the time.
    /// </summary>
    public TimeSpan Predict(int rows)
    {
        var together = rows * Volatile.Read(ref _amongMany);
        var alone = Volatile.Read(ref _alone);
        return TimeSpan.FromMicroseconds(alone < Unknown ? Math.Max(together, alone) : together);
    }

    /// <summary>A run of so many rows took so long on one thread.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="time">The time.</param>
    /// <param name="isBest">Whether it is the best of several.</param>
    public void Report(int rows, TimeSpan time, bool isBest = false)
    {
        if (!IsKnown) Interlocked.Add(ref _runs, isBest || time >= LongRun ? RunsToKnow : 1);
        var microseconds = Math.Max(time.TotalMicroseconds / rows, 0.001);
        if (rows == 1 && microseconds < Volatile.Read(ref _alone)) Volatile.Write(ref _alone, microseconds);
        if (microseconds < Volatile.Read(ref _amongMany)) Volatile.Write(ref _amongMany, microseconds);
    }
}

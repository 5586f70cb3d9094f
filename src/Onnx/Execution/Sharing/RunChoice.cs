using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>
/// How the cores share rows, where they may run on one thread or more. What one thread is expected to be done with in 100 µs stays there,
/// a single row in 10 µs.
/// What would keep it busy for more than 20 ms is divided, or, with fewer rows than cores, left to operators that all share. Between the
/// two there is a match for each doubling of the rows: three rounds, in which each way gets two calls, of which the second counts; a way
/// that took more than twice the best one's time is out. More threads have to take a tenth off to win. Shared operators take part only
/// where there are too few rows to keep every core's matrix kernels full. Matches come again after 64 calls, then 128, and so on, since
/// what else the machine did may have decided one. Callers that overlap meet at the cores, and so learn to stay on theirs.
/// </summary>
/// <param name="sharedOperators">Whether operators that all cores share are a way.</param>
/// <param name="processors">The cores.</param>
/// <remarks>Threads may report at once and overwrite each other: that spoils a match, no more.</remarks>
internal sealed class RunChoice(bool sharedOperators, int processors)
{
    /// <summary>What takes less is not worth a choice.</summary>
    public static readonly TimeSpan Short = TimeSpan.FromMicroseconds(100);

    /// <summary>
    /// The same for a single row, which two threads may be done with sooner as soon as it takes several times what waking one takes.
    /// </summary>
    public static readonly TimeSpan ShortRow = TimeSpan.FromMicroseconds(10);

    private const int Rounds = 3;
    private const int FirstPause = 64;
    private const double WorthIt = 0.9;
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(20);

    // A batch may be the only one, so that the way that is likely to win comes first.
    private static readonly RunWay[] OneRow = [RunWay.OneThread, RunWay.SharedOperators];
    private static readonly RunWay[] FewRows = [RunWay.Divided, RunWay.OneThread, RunWay.SharedOperators];
    private static readonly RunWay[] ManyRows = [RunWay.Divided, RunWay.OneThread];

    private readonly Match?[] _matches = new Match?[32];

    /// <summary>Single rows go a way that was found to be the best before; it is asked again after some calls.</summary>
    public void Begin(RunWay way) => _matches[Index(1)] = new Match(OneRow, way);

    /// <summary>Whether a call is over too soon for a choice.</summary>
    public static bool IsShort(int rows, TimeSpan expected) => expected < (rows == 1 ? ShortRow : Short);

    /// <summary>The way for the next call.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="expected">The time that it is expected to take on one thread.</param>
    public RunWay Next(int rows, TimeSpan expected)
    {
        if (IsShort(rows, expected) || (rows == 1 && !sharedOperators)) return RunWay.OneThread;
        if (expected > Long) return rows >= processors || !sharedOperators ? RunWay.Divided : RunWay.SharedOperators;
        return (_matches[Index(rows)] ??= new Match(Ways(rows))).Next;
    }

    /// <summary>How long a call took that way; where there was a match, it counts.</summary>
    public void Report(int rows, RunWay way, TimeSpan time) => _matches[Index(rows)]?.Count(way, time);

    private static int Index(int rows) => BitOperations.Log2((uint)rows);

    private RunWay[] Ways(int rows) =>
        !sharedOperators || rows >= RowPace.FewestRows * processors ? ManyRows : rows == 1 ? OneRow : FewRows;

    private sealed class Match(RunWay[] ways)
    {
        // Begins with a pause.
        public Match(RunWay[] ways, RunWay winner)
            : this(ways) => (_winner, _pause) = (winner, FirstPause);

        private readonly TimeSpan[] _best = [TimeSpan.MaxValue, TimeSpan.MaxValue, TimeSpan.MaxValue];
        private int _run;
        private int _pause;
        private int _pauses;
        private RunWay _winner;

        public RunWay Next => Volatile.Read(ref _pause) > 0 ? _winner : ways[_run / 2 % ways.Length];

        public void Count(RunWay way, TimeSpan time)
        {
            if (_pause > 0)
            {
                _pause--;
                return;
            }

            if (way != Next) return;
            ref var best = ref _best[(int)way];
            if (_run % 2 == 1 && time < best) best = time;
            do _run++;
            while (_run < 2 * Rounds * ways.Length && _run >= 2 * ways.Length && IsOut(Next));
            if (_run >= 2 * Rounds * ways.Length) End();
        }

        private bool IsOut(RunWay way)
        {
            var half = _best[(int)way] / 2;
            foreach (var best in _best)
                if (half > best) return true;
            return false;
        }

        private void End()
        {
            var one = _best[(int)RunWay.OneThread];
            var more = _best[(int)RunWay.SharedOperators] < _best[(int)RunWay.Divided] ? RunWay.SharedOperators : RunWay.Divided;
            _winner = _best[(int)more] < WorthIt * one ? more : RunWay.OneThread;
            Array.Fill(_best, TimeSpan.MaxValue);
            _run = 0;
            _pause = FirstPause << Math.Min(_pauses++, 20);
        }
    }
}

/// <summary>How the cores of a processor share the rows of a call.</summary>
internal enum RunWay
{
    /// <summary>They do not: the caller's thread does all.</summary>
    OneThread,

    /// <summary>Each takes rows and runs the whole model on them, as soon as it is free: nobody waits for another before the end.</summary>
    Divided,

    /// <summary>All share each operator: for few rows with large weights, of which each core then reads its part only.</summary>
    SharedOperators,
}

/// <summary>
/// What runs some rows on a session of a lane's own, and, where a plan chooses so, on the other one. One thread at a time.
/// </summary>
/// <typeparam name="T">What runs them.</typeparam>
internal sealed class ChosenRuns<T> : IDisposable
    where T : class, IDisposable
{
    private readonly ModelSessions? _sessions;
    private readonly RunPlan _plan;
    private readonly Func<OnnxSession, int, T> _create;
    private readonly T _own;
    private T? _other;

    /// <param name="own">The lane's own session.</param>
    /// <param name="sessions">All sessions of the model; null = there is nothing to choose.</param>
    /// <param name="create">Makes what runs on a session, by so many threads at most.</param>
    public ChosenRuns(OnnxSession own, ModelSessions? sessions, Func<OnnxSession, int, T> create)
    {
        _sessions = sessions;
        _plan = sessions?.Plan ?? RunPlan.None;
        _create = create;
        _own = create(own, _plan.Workers(own: true));
    }

    /// <summary>How the call under way is to run.</summary>
    public RunDecision Decision { get; } = new();

    /// <summary>Decides how a call is to run, and on what. <see cref="Report"/> ends it.</summary>
    /// <inheritdoc cref="RunPlan.Decide"/>
    public T Choose(int rows, int most, bool canBeCut)
    {
        _plan.Decide(rows, most, canBeCut, Decision);
        return Decision.IsOwn ? _own : _other ??= _create(_sessions!.Other, _plan.Workers(own: false));
    }

    /// <summary>The call has run.</summary>
    public void Report() => _plan.Report(Decision);

    public void Dispose()
    {
        _own.Dispose();
        _other?.Dispose();
    }
}

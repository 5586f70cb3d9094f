using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// How the cores share batches, where single rows run on one thread or may do so. A batch that one thread is expected to be done with in 100 µs
/// stays there; one that would keep it busy for more than 20 ms is divided. Between the two there is a match for each doubling of the rows: three
/// rounds, in which each way gets two batches, of which the second counts; a way that took more than twice the best one's time is out. More
/// threads have to take a tenth off to win. Shared operators take part only where there are too few rows to keep every core's matrix kernels full.
/// Matches come again after 64 batches, then 128, and so on, since what else the machine did may have decided one. Callers that overlap meet at
/// the cores, and so learn to stay on theirs.
/// </summary>
/// <param name="sharedOperators">Whether operators that all cores share are a way.</param>
/// <remarks>Threads may report at once and overwrite each other: that spoils a match, no more.</remarks>
internal sealed class BatchChoice(bool sharedOperators)
{
    /// <summary>What takes less is not worth a choice.</summary>
    public static readonly TimeSpan Short = TimeSpan.FromMicroseconds(100);

    private const int Rounds = 3;
    private const int FirstPause = 64;
    private const double WorthIt = 0.9;
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(20);

    // A batch may be the only one, so that the way that is likely to win comes first.
    private static readonly BatchWay[] Order = [BatchWay.Divided, BatchWay.OneThread, BatchWay.SharedOperators];

    private readonly Match?[] _matches = new Match?[32];

    /// <summary>The way for the next batch.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="expected">The time that it is expected to take on one thread.</param>
    public BatchWay Next(int rows, TimeSpan expected) =>
        expected < Short ? BatchWay.OneThread
        : expected > Long ? BatchWay.Divided
        : MatchOf(rows).Next;

    /// <summary>How long a batch took that way; where there was a match, it counts.</summary>
    public void Report(int rows, BatchWay way, TimeSpan time) => _matches[Index(rows)]?.Count(way, time);

    private static int Index(int rows) => BitOperations.Log2((uint)rows);

    private Match MatchOf(int rows) => _matches[Index(rows)] ??= new(sharedOperators && rows < RowPace.FewestRows * Environment.ProcessorCount ? 3 : 2);

    private sealed class Match(int ways)
    {
        private readonly TimeSpan[] _best = [TimeSpan.MaxValue, TimeSpan.MaxValue, TimeSpan.MaxValue];
        private int _run;
        private int _pause;
        private int _pauses;
        private BatchWay _winner;

        public BatchWay Next => Volatile.Read(ref _pause) > 0 ? _winner : Order[_run / 2 % ways];

        public void Count(BatchWay way, TimeSpan time)
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
            while (_run < 2 * Rounds * ways && _run >= 2 * ways && IsOut(Next));
            if (_run >= 2 * Rounds * ways) End();
        }

        private bool IsOut(BatchWay way) => _best[(int)way] / 2 > _best.Min();

        private void End()
        {
            var one = _best[(int)BatchWay.OneThread];
            var more = _best[(int)BatchWay.SharedOperators] < _best[(int)BatchWay.Divided] ? BatchWay.SharedOperators : BatchWay.Divided;
            _winner = _best[(int)more] < WorthIt * one ? more : BatchWay.OneThread;
            Array.Fill(_best, TimeSpan.MaxValue);
            _run = 0;
            _pause = FirstPause << Math.Min(_pauses++, 20);
        }
    }
}

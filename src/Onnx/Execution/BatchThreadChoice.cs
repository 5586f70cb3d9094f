using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Whether batches run on one thread or on all cores, where single rows run on one: learned from the batches themselves, for each doubling of
/// their rows. A batch that takes less than 100 µs stays on one thread. For longer ones there is a match: five on one thread, five on all
/// cores, of which the first does not count, and all cores win if they take at least a tenth off. Matches come again after 64 batches, then
/// 128, and so on, since what else the machine did may have decided one. Callers that overlap meet at the cores, and so learn to stay on theirs.
/// </summary>
/// <remarks>Threads may report at once and overwrite each other: that spoils a match, no more.</remarks>
internal sealed class BatchThreadChoice
{
    private const int Runs = 5;
    private const int FirstPause = 64;
    private const double WorthIt = 0.9;
    private static readonly TimeSpan LongRun = TimeSpan.FromMicroseconds(100);

    private readonly Match[] _matches = new Match[32];

    /// <summary>Where the next batch of so many rows is to run.</summary>
    public bool PrefersAllCores(int rows)
    {
        ref var match = ref _matches[BitOperations.Log2((uint)rows)];
        return match.Pause > 0 ? match.AllCoresWon : match.Run >= Runs;
    }

    /// <summary>How long that took.</summary>
    public void Report(int rows, bool allCores, TimeSpan time)
    {
        ref var match = ref _matches[BitOperations.Log2((uint)rows)];
        if (match.Pause > 0) match.Pause--;
        else if (allCores == match.Run >= Runs) match.Count(allCores, time);
    }

    private struct Match
    {
        public TimeSpan One;
        public TimeSpan All;
        public int Run;
        public int Pauses;
        public int Pause;
        public bool AllCoresWon;

        public void Count(bool allCores, TimeSpan time)
        {
            if (Run % Runs == 1) (allCores ? ref All : ref One) = time;
            else if (Run % Runs > 1 && time < (allCores ? All : One)) (allCores ? ref All : ref One) = time;
            Run++;
            if (Run == 2 * Runs) End(All < WorthIt * One);
            else if (Run == Runs && One < LongRun) End(false);
        }

        private void End(bool allCoresWon)
        {
            AllCoresWon = allCoresWon;
            Pause = FirstPause << Math.Min(Pauses++, 20);
            Run = 0;
        }
    }
}

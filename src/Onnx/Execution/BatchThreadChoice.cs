using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Whether batches run on one thread or on all cores, where single rows run on one: learned from the batches themselves, for each doubling of
/// their rows. A batch that takes less than 100 µs stays on one thread; a longer one is run three times on each, the first of which does not
/// count, and all cores are kept if they take at least a tenth off. Callers that overlap meet at the cores, and so learn to stay on theirs.
/// </summary>
/// <remarks>Threads may report at once and overwrite each other: that costs a measurement, no more.</remarks>
internal sealed class BatchThreadChoice
{
    private const int Runs = 3;
    private const double WorthIt = 0.9;
    private static readonly TimeSpan LongRun = TimeSpan.FromMicroseconds(100);

    private readonly Trial[] _trials = new Trial[32];

    /// <summary>Where the next batch of so many rows is to run.</summary>
    public bool PrefersAllCores(int rows)
    {
        ref var trial = ref _trials[BitOperations.Log2((uint)rows)];
        return trial.Decided ? trial.AllCores : trial.OneRuns >= Runs;
    }

    /// <summary>How long that took.</summary>
    public void Report(int rows, bool allCores, TimeSpan time)
    {
        ref var trial = ref _trials[BitOperations.Log2((uint)rows)];
        if (trial.Decided) return;
        if (!allCores)
        {
            if (trial.OneRuns++ > 0) trial.One = Shorter(trial.One, time);
            trial.Decided = trial.OneRuns >= Runs && trial.One < LongRun;
            return;
        }

        if (trial.AllRuns++ > 0) trial.All = Shorter(trial.All, time);
        if (trial.AllRuns < Runs) return;
        trial.AllCores = trial.All < WorthIt * trial.One;
        trial.Decided = true;
    }

    private static TimeSpan Shorter(TimeSpan best, TimeSpan time) => best == default || time < best ? time : best;

    private struct Trial
    {
        public TimeSpan One;
        public TimeSpan All;
        public int OneRuns;
        public int AllRuns;
        public bool AllCores;
        public volatile bool Decided;
    }
}

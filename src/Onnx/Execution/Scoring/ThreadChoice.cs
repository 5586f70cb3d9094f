using System.Collections.Concurrent;
using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// Chooses how many threads share an operator of a single row, by measurement. Waking another thread takes some microseconds, so a row that
/// is over in less than 10 µs stays on one; for longer ones all cores are tried as well, in turn, and kept if they take at least a tenth
/// off. What else the machine did meanwhile may have decided that: the calls themselves ask again (<see cref="RunChoice"/>).
/// </summary>
internal static class ThreadChoice
{
    private const int Rounds = 10;
    private const int RunsInRound = 20;
    private const double WorthIt = 0.9;
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(100);
    private static readonly ConcurrentDictionary<string, (int Threads, TimeSpan OnOne)> Known = new();

    /// <summary>Loads a scorer with the number of threads that is the quicker one.</summary>
    /// <param name="model">What identifies the model in this process.</param>
    /// <param name="load">Loads it with a number of threads.</param>
    /// <param name="settings">How it is run.</param>
    /// <param name="pace">Learns how long a row takes on one thread.</param>
    public static OnnxScorer Load(string model, Func<int, OnnxScorer> load, OnnxScorerOptions settings, RowPace pace)
    {
        var key = $"{model} {settings.Device} {settings.Spinning} {settings.Optimization} {string.Join(',', settings.Outputs ?? [])}";
        if (Known.TryGetValue(key, out var known))
        {
            pace.Report(1, known.OnOne, isBest: true);
            return Begun(load(known.Threads));
        }

        var one = load(1);
        OnnxScorer? all = null;
        try
        {
            // On another device it is not the CPU's threads that do the work.
            if (Environment.ProcessorCount == 1 || one.Device.Kind != DeviceKind.Cpu) return one;
            var time = Time(one);
            if (time >= RunChoice.ShortRow)
            {
                all = load(ExecutionOptions.AllCores);
                var (total, shared) = (Stopwatch.StartNew(), Time(all));
                for (var round = 1; round < Rounds && total.Elapsed < Budget; round++)
                {
                    time = Least(time, Time(one));
                    shared = Least(shared, Time(all));
                }

                if (shared < WorthIt * time) (one, all) = (all, one);
                Known.TryAdd(key, (one.Threads, time));
                Begun(one);
            }

            pace.Report(1, time, isBest: true);
            return one;
        }
        catch
        {
            one.Dispose();
            throw;
        }
        finally
        {
            all?.Dispose();
        }
    }

    private static OnnxScorer Begun(OnnxScorer scorer)
    {
        scorer.Rows.Sessions.Plan.Choice?.Begin(scorer.Threads == 1 ? RunWay.OneThread : RunWay.SharedOperators);
        return scorer;
    }

    // What disturbs a run only ever makes it slower, so the best counts; the first one wakes threads and fills caches.
    private static TimeSpan Time(OnnxScorer scorer)
    {
        var layout = scorer.Rows.Layout;
        using var block = new NumberBlock(scorer.Rows.Session, null, layout, 1);
        for (var i = 0; i < layout.Inputs.Count; i++) block.Input(i, 1).Clear();
        var best = TimeSpan.MaxValue;
        var total = Stopwatch.StartNew();
        for (var i = 0; i < RunsInRound && (i < 2 || total.Elapsed < Budget / Rounds); i++)
        {
            var start = Stopwatch.GetTimestamp();
            block.Run(1);
            best = Least(best, Stopwatch.GetElapsedTime(start));
        }

        return best;
    }

    private static TimeSpan Least(TimeSpan first, TimeSpan second) => first < second ? first : second;
}

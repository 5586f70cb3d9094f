using System.Collections.Concurrent;
using System.Diagnostics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Chooses how many threads share an operator, by measurement. Waking another thread takes some microseconds, so a row that is over in less
/// than 100 µs stays on one; for longer ones all cores are tried, and kept if they take at least a fifth off.
/// </summary>
internal static class ThreadChoice
{
    public const int AllCores = 0;
    private const double LongRun = 100;
    private const double WorthIt = 0.8;
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(100);
    private static readonly ConcurrentDictionary<string, int> Known = new();

    /// <summary>Loads a scorer with the number of threads that is the quicker one.</summary>
    /// <param name="model">What identifies the model in this process.</param>
    /// <param name="load">Loads it with a number of threads.</param>
    /// <param name="settings">How it is run.</param>
    public static Scorer Load(string model, Func<int, Scorer> load, ScorerSettings settings)
    {
        var key = $"{model} {settings.Device} {settings.Spinning} {settings.Optimization} {string.Join(',', settings.Outputs ?? [])}";
        if (Known.TryGetValue(key, out var known)) return load(known);
        var one = load(1);
        Scorer? all = null;
        try
        {
            // On another device it is not the CPU's threads that do the work.
            if (Environment.ProcessorCount == 1 || one.ActualDevice.Kind != DeviceKind.Cpu) return one;
            var time = Time(one);
            if (time >= LongRun)
            {
                all = load(AllCores);
                if (Time(all) < WorthIt * time) (one, all) = (all, one);
                Known.TryAdd(key, one.Threads);
            }

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

    // The best of a few runs, in microseconds: what disturbs a run only ever makes it slower.
    private static double Time(Scorer scorer)
    {
        using var call = scorer.Begin(1);
        for (var i = 0; i < scorer.Inputs.Count; i++) call.Input(i).Clear();
        var best = TimeSpan.MaxValue;
        var total = Stopwatch.StartNew();
        for (var i = 0; i < 10 && (i < 2 || total.Elapsed < Budget); i++)
        {
            var start = Stopwatch.GetTimestamp();
            call.Run();
            best = TimeSpan.FromTicks(Math.Min(best.Ticks, Stopwatch.GetElapsedTime(start).Ticks));
        }

        return best.TotalMicroseconds;
    }
}

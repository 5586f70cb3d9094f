using System.Diagnostics;

namespace MlNetBatchNorm.Cli.Timing;

/// <summary>
/// Times several ways of doing the same in turn, so that whatever else the machine does meets all of them. The best round of each counts:
/// what the code can do when nothing else wants the machine.
/// </summary>
internal static class Turns
{
    private const int MostRounds = 60;
    private const int FewestRounds = 5;
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(4);

    /// <summary>The microseconds that one run of each contender takes.</summary>
    /// <param name="contenders">The contenders.</param>
    /// <param name="each">About how long each is timed; a few rounds at least.</param>
    /// <param name="cancellation">Ends the measurement.</param>
    public static double[] Measure(IReadOnlyList<Contender> contenders, TimeSpan each, CancellationToken cancellation)
    {
        var calls = contenders.Select(contender => CallsInRound(contender, each / 5)).ToArray();
        var best = Enumerable.Repeat(double.PositiveInfinity, contenders.Count).ToArray();
        var spent = Stopwatch.StartNew();
        for (var round = 0; round < MostRounds && (round < FewestRounds || spent.Elapsed < each * contenders.Count); round++)
        {
            for (var i = 0; i < contenders.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                Thread.Sleep(contenders[i == 0 ? ^1 : i - 1].Spinning);
                contenders[i].Run();
                best[i] = Math.Min(best[i], Time(contenders[i], calls[i]).TotalMicroseconds / calls[i]);
            }
        }

        return best;
    }

    /// <summary>The bytes of managed memory that one run takes.</summary>
    public static double AllocatedBytes(Contender contender)
    {
        const int Calls = 100;
        contender.Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Time(contender, Calls);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Calls;
    }

    // Enough calls for the just-in-time compiler to be done with them, and then as many as fill a round.
    private static int CallsInRound(Contender contender, TimeSpan warming)
    {
        var warm = Stopwatch.StartNew();
        var calls = 0;
        while (calls < 2 || (calls < 2000 && warm.Elapsed < warming))
        {
            contender.Run();
            calls++;
        }

        Time(contender, 1);
        var one = Time(contender, Math.Min(calls, 50)) / Math.Min(calls, 50);
        return Math.Max(1, (int)(Round / one));
    }

    private static TimeSpan Time(Contender contender, int calls)
    {
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < calls; call++) contender.Run();
        return Stopwatch.GetElapsedTime(start);
    }
}

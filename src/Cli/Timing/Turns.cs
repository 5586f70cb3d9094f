using System.Diagnostics;
using Google.Protobuf;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;

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
        const int Calls = 100, Times = 5;
        contender.Run();
        var least = double.PositiveInfinity;
        for (var time = 0; time < Times; time++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Time(contender, Calls);

            // What is made once, when a quicker way is found, is no call's.
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Calls);
        }

        return least;
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

/// <summary>One way of scoring the same rows.</summary>
internal abstract class Contender : IDisposable
{
    /// <summary>How long its idle threads go on looking for work after a run, and so take the time of whoever is next.</summary>
    public virtual TimeSpan Spinning => TimeSpan.FromMilliseconds(3);

    /// <summary>Random numbers for rows, always the same.</summary>
    internal static float[] RandomRows(int numbers)
    {
        var random = new Random(1);
        var rows = new float[numbers];
        foreach (ref var value in rows.AsSpan()) value = (random.NextSingle() * 2) - 1;
        return rows;
    }

    /// <summary>Scores all the rows once.</summary>
    public abstract void Run();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

/// <summary>Our <see cref="OnnxScorer"/>, as it comes.</summary>
internal sealed class ScorerContender : Contender
{
    private readonly OnnxScorer _scorer;
    private readonly float[] _rows;
    private readonly float[] _results;
    private readonly int _count;

    /// <param name="model">The model.</param>
    /// <param name="count">Rows in a call.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="threads">The threads that share an operator; null = chosen by measurement.</param>
    /// <param name="engine">What computes the rows.</param>
    public ScorerContender(
        ModelProto model, int count, Device device, int? threads = null, ScoringEngine engine = ScoringEngine.Auto)
    {
        _scorer = OnnxScorer.Load(
            model.ToByteArray(), new OnnxScorerOptions { Device = device, Threads = threads, Engine = engine });
        _count = count;
        _rows = RandomRows(count * _scorer.RowLength);
        _results = new float[count * _scorer.ResultLength];
    }

    /// <summary>Where it runs, and how tensors get there.</summary>
    public string Place => $"{_scorer.DeviceReport}: {_scorer.Memory}";

    /// <summary>What computes which numbers of rows.</summary>
    public string Engine => _scorer.EngineReport;

    public override void Run()
    {
        if (_count == 1) _scorer.Score(_rows, _results);
        else _scorer.ScoreBatch(_rows, _count, _results);
    }

    protected override void Dispose(bool disposing) => _scorer.Dispose();
}

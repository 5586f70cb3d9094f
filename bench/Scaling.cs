using System.Diagnostics;
using Google.Protobuf;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Bench;

/// <summary>How many more single rows several threads score than one.</summary>
/// <param name="Threads">The threads.</param>
/// <param name="Factor">Through one scorer.</param>
/// <param name="Limit">With a session of ONNX Runtime for each thread, which share nothing: what the machine has to give.</param>
internal sealed record Scaling(int Threads, double Factor, double Limit)
{
    private const int Rounds = 25;

    /// <summary>Measures one thread and several, scorer and limit, in turn; the middle one of the rounds' factors counts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="threads">The threads.</param>
    /// <param name="each">About how long each of the four is timed.</param>
    /// <param name="cancellation">Ends the measurement.</param>
    public static Scaling Measure(ModelProto model, int threads, TimeSpan each, CancellationToken cancellation)
    {
        using var scorer = OnnxScorer.Load(model.ToByteArray());
        var limits = Enumerable.Range(0, threads).Select(_ => new BoundContender(model, count: 1, threads: 1)).ToList();
        try
        {
            var ours = Enumerable.Range(0, threads).Select(_ => Calls(scorer)).ToArray();
            var separate = limits.Select(limit => (Action)limit.Run).ToArray();
            var (factors, most) = (new double[Rounds], new double[Rounds]);
            for (var round = -1; round < Rounds; round++)
            {
                cancellation.ThrowIfCancellationRequested();
                var (factor, limit) = (Factor(ours), Factor(separate));
                if (round >= 0) (factors[round], most[round]) = (factor, limit);
            }

            Array.Sort(factors);
            Array.Sort(most);
            return new Scaling(threads, factors[Rounds / 2], most[Rounds / 2]);
        }
        finally
        {
            limits.ForEach(limit => limit.Dispose());
        }

        double Factor(Action[] calls)
        {
            var one = CallsPerSecond(calls[..1], each / Rounds);
            return CallsPerSecond(calls, each / Rounds) / one;
        }
    }

    private static Action Calls(OnnxScorer scorer)
    {
        // Memory of its own for each thread, on cache lines that no other one writes to.
        const int CacheLine = 32;
        var row = Contender.RandomRows(scorer.RowLength);
        var result = new float[scorer.ResultLength + (2 * CacheLine)];
        return () => scorer.Score(row, result.AsSpan(CacheLine, scorer.ResultLength));
    }

    private static double CallsPerSecond(Action[] calls, TimeSpan time)
    {
        var rates = new double[calls.Length];
        using var start = new Barrier(calls.Length);
        var workers = calls.Select((call, worker) => new Thread(() =>
        {
            start.SignalAndWait();
            rates[worker] = CallsPerSecond(call, time);
        })).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => worker.Join());
        return rates.Sum();
    }

    private static double CallsPerSecond(Action call, TimeSpan time)
    {
        var (start, calls) = (Stopwatch.GetTimestamp(), 0L);
        while (Stopwatch.GetElapsedTime(start) < time)
        {
            for (var i = 0; i < 100; i++) call();
            calls += 100;
        }

        return calls / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

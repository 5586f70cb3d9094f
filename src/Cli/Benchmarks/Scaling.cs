using System.Diagnostics;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Benchmarks;

/// <summary>How many more single rows several threads score than one, through the same scorer.</summary>
/// <param name="Threads">The threads.</param>
/// <param name="Factor">Their rows divided by those of one thread.</param>
internal sealed record Scaling(int Threads, double Factor)
{
    private const int Rounds = 9;

    /// <summary>Measures one thread and several in turn; the best round of each counts.</summary>
    public static Scaling Measure(ModelProto model, int threads, TimeSpan round, CancellationToken cancellation)
    {
        using var scorer = Scorer.Load(model.ToByteArray());
        double one = 0, several = 0;
        for (var turn = 0; turn <= Rounds; turn++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (single, all) = (RowsPerSecond(scorer, 1, round), RowsPerSecond(scorer, threads, round));
            if (turn == 0) continue;
            one = Math.Max(one, single);
            several = Math.Max(several, all);
        }

        return new Scaling(threads, several / one);
    }

    private static double RowsPerSecond(Scorer scorer, int threads, TimeSpan round)
    {
        var rates = new double[threads];
        var workers = Enumerable.Range(0, threads).Select(worker => new Thread(() => rates[worker] = Score(scorer, round))).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => worker.Join());
        return rates.Sum();
    }

    private static double Score(Scorer scorer, TimeSpan round)
    {
        var row = BenchmarkNetwork.RandomRows(scorer.RowLength);
        var result = new float[scorer.ResultLength];
        var (start, rows) = (Stopwatch.GetTimestamp(), 0L);
        while (Stopwatch.GetElapsedTime(start) < round)
        {
            for (var i = 0; i < 100; i++) scorer.Score(row, result);
            rows += 100;
        }

        return rows / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

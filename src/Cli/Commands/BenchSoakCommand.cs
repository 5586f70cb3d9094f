using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using MlNetBatchNorm.Cli.Benchmarks;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn bench soak</c>: one scorer under threads that never stop. Is every answer right, memory flat, and how long are the longest waits?</summary>
internal static class BenchSoakCommand
{
    private const int DistinctRows = 64;
    private const int Reports = 10;

    public static Command Create()
    {
        var minutes = new Option<double>("--minutes") { Description = "how long", DefaultValueFactory = _ => 10 };
        var threads = new Option<int>("--threads") { Description = "threads that score at once", DefaultValueFactory = _ => 2 };
        var device = CommonOptions.Device(Device.Cpu);
        minutes.RequireRange(0.01, 10_000);
        threads.RequireRange(1, 1024);
        var command = new Command("soak", "Score single rows for minutes: latency percentiles, memory, and whether every answer is right.") { minutes, threads, device };
        command.SetAction((arguments, cancellation) =>
            Task.FromResult(Run(TimeSpan.FromMinutes(arguments.GetValue(minutes)), arguments.GetValue(threads), arguments.GetValue(device)!, cancellation)));
        return command;
    }

    private static int Run(TimeSpan duration, int threads, Device device, CancellationToken cancellation)
    {
        var network = BenchmarkNetwork.All[0];
        using var scorer = Scorer.Load(network.Train().Folded.ToByteArray(), new ScorerSettings { Device = device });
        Output.NoteDevice(scorer.DeviceReport);
        var rows = BenchmarkNetwork.RandomRows(DistinctRows * scorer.RowLength);
        var expected = new float[DistinctRows];
        for (var row = 0; row < DistinctRows; row++) scorer.Score(rows.AsSpan(row * scorer.RowLength, scorer.RowLength), expected.AsSpan(row, 1));

        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var (histograms, wrong) = (new LatencyHistogram[threads], new long[threads]);
        var workers = Enumerable.Range(0, threads)
            .Select(worker => new Thread(() => (histograms[worker], wrong[worker]) = Score(scorer, rows, expected, end.Token)))
            .ToList();
        workers.ForEach(worker => worker.Start());
        Console.WriteLine($"{"minutes",8} {"working set",12} {"managed heap",13} {"collections",12}");
        for (var report = 0; report <= Reports && !cancellation.IsCancellationRequested; report++)
        {
            if (report > 0) cancellation.WaitHandle.WaitOne(duration / Reports);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{(duration * report / Reports).TotalMinutes,8:0.00} {Environment.WorkingSet / 1e6,9:0.0} MB {GC.GetTotalMemory(forceFullCollection: false) / 1e6,10:0.0} MB {GC.CollectionCount(0),12}"));
        }

        end.Cancel();
        workers.ForEach(worker => worker.Join());
        cancellation.ThrowIfCancellationRequested();
        var all = new LatencyHistogram();
        foreach (var histogram in histograms) all.Add(histogram);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{network.Name}, {threads} threads: {all.Count:N0} rows, {wrong.Sum():N0} wrong answers; p50 {Micro(0.5)} µs, p99 {Micro(0.99)} µs, p99.9 {Micro(0.999)} µs, longest {all.Longest / 1e3:0} µs"));
        return wrong.Sum() == 0 ? ExitCode.Done : ExitCode.Failed;

        string Micro(double share) => (all.Percentile(share) / 1e3).ToString("0.0", CultureInfo.InvariantCulture);
    }

    private static (LatencyHistogram Histogram, long Wrong) Score(Scorer scorer, float[] rows, float[] expected, CancellationToken end)
    {
        var (histogram, wrong, row) = (new LatencyHistogram(), 0L, 0);
        Span<float> result = stackalloc float[1];
        while (!end.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            scorer.Score(rows.AsSpan(row * scorer.RowLength, scorer.RowLength), result);
            histogram.Add((long)Stopwatch.GetElapsedTime(start).TotalNanoseconds);
            if (result[0] != expected[row]) wrong++;
            row = (row + 1) % DistinctRows;
        }

        return (histogram, wrong);
    }
}

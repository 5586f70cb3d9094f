using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using HdrHistogram;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Bench;

/// <summary>One scorer under threads that never stop. Is every answer right, memory flat, and how long are the longest waits?</summary>
internal sealed class SoakBenchmark : Benchmark
{
    private const int DistinctRows = 64;
    private const int Reports = 10;
    private const int Digits = 3;

    private static readonly long LongestNanoseconds = (long)TimeSpan.FromMinutes(1).TotalNanoseconds;

    private readonly Option<double?> _minutes = new("--minutes") { Description = "how long [default: 3]" };
    private readonly Option<int> _threads = new("--threads") { Description = "threads that score at once", DefaultValueFactory = _ => 2 };
    private readonly Option<Device> _device = CommonOptions.Device(Device.Cpu);

    public SoakBenchmark()
        : base("soak", "Scoring without end", "Score single rows for minutes: latency percentiles, memory, and is every answer right?")
    {
        _minutes.RequireRange(0.001, 10_000);
        _threads.RequireRange(1, 1024);
        foreach (var option in new Option[] { _minutes, _threads, _device }) Add(option);
    }

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var duration = TimeSpan.FromMinutes(arguments.GetValue(_minutes) ?? (arguments.GetValue(Quick) ? 0.02 : 3));
        return Task.FromResult(Run(duration, arguments.GetValue(_threads), arguments.GetValue(_device)!, report, cancellation));
    }

    private static int Run(TimeSpan duration, int threads, Device device, Report report, CancellationToken cancellation)
    {
        var network = BenchmarkNetwork.All[0];
        using var scorer = OnnxScorer.Load(network.Train().Folded.ToByteArray(), new OnnxScorerOptions { Device = device });
        Output.NoteDevice(scorer.DeviceReport);
        var rows = Contender.RandomRows(DistinctRows * scorer.RowLength);
        var expected = new float[DistinctRows];
        for (var row = 0; row < DistinctRows; row++)
            scorer.Score(rows.AsSpan(row * scorer.RowLength, scorer.RowLength), expected.AsSpan(row, 1));

        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var (histograms, wrong) = (new LongHistogram[threads], new long[threads]);
        var workers = Enumerable.Range(0, threads)
            .Select(worker => new Thread(() => (histograms[worker], wrong[worker]) = Score(scorer, rows, expected, end.Token)))
            .ToList();
        Report.Progress(string.Create(CultureInfo.InvariantCulture, $"soak for {duration.TotalMinutes:0.##} minutes"));
        workers.ForEach(worker => worker.Start());
        var memory = new List<string[]>();
        for (var part = 0; part <= Reports && !cancellation.IsCancellationRequested; part++)
        {
            if (part > 0) cancellation.WaitHandle.WaitOne(duration / Reports);
            memory.Add(
            [
                (duration * part / Reports).TotalMinutes.ToString("0.00", CultureInfo.InvariantCulture),
                Megabytes(Environment.WorkingSet),
                Megabytes(GC.GetTotalMemory(forceFullCollection: false)),
                GC.CollectionCount(0).ToString(CultureInfo.InvariantCulture),
            ]);
        }

        end.Cancel();
        workers.ForEach(worker => worker.Join());
        cancellation.ThrowIfCancellationRequested();
        var all = new LongHistogram(LongestNanoseconds, Digits);
        foreach (var histogram in histograms) all.Add(histogram);
        var (count, errors, longest) = (all.TotalCount, wrong.Sum(), all.GetMaxValue() / 1e3);
        report.Table(["minutes", "working set, MB", "managed heap, MB", "collections"], memory, texts: 0);
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"{network.Name}, {threads} threads: {count:N0} rows, {errors:N0} wrong answers; p50 {Micro(50)} µs, p99 {Micro(99)} µs, ")
            + string.Create(CultureInfo.InvariantCulture, $"p99.9 {Micro(99.9)} µs, longest {longest:N0} µs."));
        return errors == 0 ? ExitCode.Done : ExitCode.Failed;

        string Micro(double percent) => (all.GetValueAtPercentile(percent) / 1e3).ToString("0.0", CultureInfo.InvariantCulture);
    }

    private static (LongHistogram Histogram, long Wrong) Score(OnnxScorer scorer, float[] rows, float[] expected, CancellationToken end)
    {
        var (histogram, wrong, row) = (new LongHistogram(LongestNanoseconds, Digits), 0L, 0);
        Span<float> result = stackalloc float[1];
        while (!end.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            scorer.Score(rows.AsSpan(row * scorer.RowLength, scorer.RowLength), result);
            histogram.RecordValue(Math.Min((long)Stopwatch.GetElapsedTime(start).TotalNanoseconds, LongestNanoseconds));
            if (result[0] != expected[row]) wrong++;
            row = (row + 1) % DistinctRows;
        }

        return (histogram, wrong);
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture);
}

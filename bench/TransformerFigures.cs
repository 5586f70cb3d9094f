using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli;

namespace MlNetBatchNorm.Bench;

/// <summary>The figures of <see cref="TransformerBenchmarks"/> in a few seconds: all in turn, the best of many rounds.</summary>
internal sealed class TransformerFigures() : Benchmark(
    "mlnet", "Scoring in ML.NET", "Time 20,000 rows of a network in ML.NET, in turn with the model alone and ML.NET's own transformer.")
{
    private const int Engines = 2000;

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var rounds = arguments.GetValue(Quick) ? 5 : 40;
        var benchmarks = new TransformerBenchmarks();
        Report.Progress("mlnet");
        benchmarks.Train();
        var rows = (double)TransformerBenchmarks.Rows;
        (string Name, Action Run, double Rows)[] subjects =
        [
            ("raw, one run", benchmarks.Raw, rows),
            ("raw, runs of 1,024", benchmarks.RawInBatches, rows),
            ("reading alone", () => benchmarks.ReadingAlone(), rows),
            ("ours", () => benchmarks.Ours(), rows),
            ("reading objects alone", () => benchmarks.ReadingObjectsAlone(), rows),
            ("ours from objects", () => benchmarks.OursFromObjects(), rows),
            ("stock", () => benchmarks.Stock(), rows),
            ("ours, PredictionEngine", () => Repeat(benchmarks.OursOneRow), Engines),
            ("stock, PredictionEngine", () => Repeat(benchmarks.StockOneRow), Engines),
            ("LightGbm, PredictionEngine", () => Repeat(benchmarks.LightGbmOneRow), Engines),
            ("FastTree, PredictionEngine", () => Repeat(benchmarks.FastTreeOneRow), Engines),
        ];
        var best = new double[subjects.Length];
        var bytes = new long[subjects.Length];
        Array.Fill(best, double.PositiveInfinity);
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < subjects.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (round > 2 && subjects[i].Name.StartsWith("stock", StringComparison.Ordinal) && round % 4 != 0) continue;
                var before = GC.GetAllocatedBytesForCurrentThread();
                var start = Stopwatch.GetTimestamp();
                subjects[i].Run();
                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalMicroseconds / subjects[i].Rows);
                bytes[i] = GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }

        report.Paragraph(
            "20,000 rows of 32-64-32-1 through ML.NET, and single ones through a `PredictionEngine`. *raw*: the model alone. *stock*: "
            + "ML.NET's `ApplyOnnxModel`. *LightGbm*, *FastTree*: ML.NET's trees, 100 of them, on the same rows. *bytes*: managed memory of the calling thread.");
        report.Table(["32-64-32-1", "µs/row", "bytes/row"], subjects.Select((subject, i) => (IReadOnlyList<string>)
        [
            subject.Name,
            best[i].ToString("0.000", CultureInfo.InvariantCulture),
            (bytes[i] / subject.Rows).ToString("0.0", CultureInfo.InvariantCulture),
        ]), texts: 1);
        var (raw, batches, ours, stock, oursEngine, stockEngine) = (best[0], best[1], best[3], best[6], best[7], best[8]);
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"ours : raw, one run {ours / raw:0.00}; ours : raw, runs of 1,024 {ours / batches:0.00}; stock : ours {stock / ours:0.0}; ")
            + string.Create(CultureInfo.InvariantCulture, $"engines, ours : stock {oursEngine / stockEngine:0.00}, ")
            + string.Create(
                CultureInfo.InvariantCulture,
                $"ours : LightGbm {oursEngine / best[9]:0.00}, ours : FastTree {oursEngine / best[10]:0.00}."));
        benchmarks.Release();
        return Task.FromResult(ExitCode.Done);
    }

    private static void Repeat(Func<float> predict)
    {
        for (var i = 0; i < Engines; i++) predict();
    }
}

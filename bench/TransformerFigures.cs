using System.Diagnostics;
using System.Globalization;

namespace MlNetBatchNorm.Bench;

/// <summary>The figures of <see cref="TransformerBenchmarks"/> in a few seconds: all measured in turn in one process, the best of many rounds.</summary>
internal static class TransformerFigures
{
    private const int Rounds = 40;
    private const int Engines = 2000;

    public static void Print()
    {
        var benchmarks = new TransformerBenchmarks();
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
        ];
        var best = new double[subjects.Length];
        var bytes = new long[subjects.Length];
        Array.Fill(best, double.PositiveInfinity);
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < subjects.Length; i++)
            {
                if (round > 2 && subjects[i].Name.StartsWith("stock", StringComparison.Ordinal) && round % 4 != 0) continue;
                var before = GC.GetAllocatedBytesForCurrentThread();
                var start = Stopwatch.GetTimestamp();
                subjects[i].Run();
                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalMicroseconds / subjects[i].Rows);
                bytes[i] = GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }

        Console.WriteLine($"{"32-64-32-1",-24} {"µs/row",8} {"bytes/row",9}");
        for (var i = 0; i < subjects.Length; i++)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{subjects[i].Name,-24} {best[i],8:0.000} {bytes[i] / subjects[i].Rows,9:0.0}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"ours : raw, one run {best[3] / best[0]:0.00}; ours : raw, runs of 1,024 {best[3] / best[1]:0.00}; stock : ours {best[6] / best[3]:0.0}; engines, ours : stock {best[7] / best[8]:0.00}"));
        benchmarks.Release();
    }

    private static void Repeat(Func<float> predict)
    {
        for (var i = 0; i < Engines; i++) predict();
    }
}

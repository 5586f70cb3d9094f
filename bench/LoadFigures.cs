using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Timing;

namespace MlNetBatchNorm.Bench;

/// <summary>The figures of <see cref="LoadBenchmarks"/> and <see cref="HostedScorerBenchmarks"/> in a few seconds, in turn.</summary>
internal sealed class LoadFigures() : Benchmark(
    "load", "Loading, and scoring in a service", "Time loading fifty layers, folded and not, and a row through the scorer of a service.")
{
    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var each = TimeSpan.FromSeconds(arguments.GetValue(Quick) ? 0.05 : 2);
        var rows = new List<string[]>();
        foreach (var units in new[] { 64, 256 })
        {
            Report.Progress(string.Create(CultureInfo.InvariantCulture, $"load fifty layers of {units}"));
            var load = new LoadBenchmarks { Units = units };
            load.Write();
            var name = $"from a file to the first answer, 50 layers of {units}: folded, unfolded";
            rows.Add(Measure(name, () => load.Folded(), () => load.Unfolded()));
            load.Delete();
        }

        var hosted = new HostedScorerBenchmarks();
        hosted.Load();
        rows.Add(Measure("a row of 32 to 32: the scorer of a service, a scorer of one's own", hosted.Hosted, hosted.Own));
        hosted.Release();
        report.Paragraph("Microseconds, the best of many rounds in turn.");
        report.Table(["what", "the first", "the second", "first : second"], rows, texts: 1);
        return Task.FromResult(ExitCode.Done);

        string[] Measure(string name, Action first, Action second)
        {
            var times = Turns.Measure([new ActionContender(first), new ActionContender(second)], each, cancellation);
            return [name, Number(times[0], "N1"), Number(times[1], "N1"), Number(times[0] / times[1], "0.00")];
        }
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private sealed class ActionContender(Action run) : Contender
    {
        public override void Run() => run();

        protected override void Dispose(bool disposing)
        {
        }
    }
}

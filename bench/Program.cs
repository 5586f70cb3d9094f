using System.CommandLine;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Bench;
using MlNetBatchNorm.Cli;

// What is compared in turn in one process, within seconds, has a command; BenchmarkDotNet takes everything behind `micro` itself.
if (args is ["micro", .. var theirs])
{
    BenchmarkDotNet.Running.BenchmarkSwitcher.FromAssembly(typeof(ScorerBenchmarks).Assembly).Run(theirs);
    return ExitCode.Done;
}

// Soak early: memory that others have left behind would blur its figures.
Benchmark[] benchmarks =
[
    new ScoreBenchmark(), new SoakBenchmark(), new TrainBenchmark(), new TransformerFigures(), new AccuracyBenchmark(),
    new PrecisionComparison(), new PrecisionTables(), new LoadFigures(), new TablesBenchmark(),
    new FoldBenchmark(), new DiagnosticsBenchmark(), new RankScaling(), new ServiceBenchmark(),
];
var root = new RootCommand("How fast and how right this machine finds us, beside others.")
{
    new AllBenchmarks(benchmarks),
    new Command("micro", "BenchmarkDotNet's classes, with its own options behind, such as --filter '*Load*' --job short --inProcess."),
};
foreach (var benchmark in benchmarks) root.Add(benchmark);

// It has a page of its own, docs/defaults.md, and takes longer than all the others.
root.Add(new DefaultsBenchmark());

// It fills the disk.
root.Add(new BeyondMemoryBenchmark());
using var interrupt = new CancellationTokenSource();
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var stop = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }, interrupt.Token);
}
catch (OperationCanceledException)
{
    Report.Progress("stopped");
    return ExitCode.Failed;
}
catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
{
    Report.Progress(exception.Message);
    return ExitCode.Failed;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    interrupt.Cancel();
}

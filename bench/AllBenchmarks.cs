using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Environments;
using Microsoft.ML;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Bench;

/// <summary>All benchmarks one after the other, and <c>bench/RESULTS.md</c> with the machine and their tables.</summary>
internal sealed class AllBenchmarks : Command
{
    private readonly Option<bool> _quick = new("--quick") { Description = "as little as shows that it works; the figures mean nothing" };
    private readonly Option<string[]> _only = new("--only")
    {
        Description = "only these, several with spaces between them",
        HelpName = "BENCHMARK",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string> _out = new("--out")
    {
        Description = "the file [default: bench/RESULTS.md of the repository]",
        HelpName = "FILE",
        DefaultValueFactory = _ => Repository.PathOf("bench", "RESULTS.md"),
    };

    public AllBenchmarks(IReadOnlyList<Benchmark> benchmarks)
        : base("all", "All of them, some 20 minutes; --quick under 3. Writes bench/RESULTS.md.")
    {
        _only.AcceptOnlyFromAmong([.. benchmarks.Select(benchmark => benchmark.Name)]);
        foreach (var option in new Option[] { _quick, _only, _out }) Add(option);
        SetAction((arguments, cancellation) =>
        {
            var names = arguments.GetValue(_only);
            var chosen = benchmarks.Where(benchmark => names is null or [] || names.Contains(benchmark.Name));
            return RunAsync([.. chosen], arguments.GetValue(_quick), arguments.GetValue(_out)!, cancellation);
        });
    }

    private static async Task<int> RunAsync(IReadOnlyList<Benchmark> benchmarks, bool quick, string path, CancellationToken cancellation)
    {
        var (start, day, failed) = (Stopwatch.GetTimestamp(), DateTime.UtcNow, false);
        var report = new Report(Console.Out);
        foreach (var benchmark in benchmarks)
        {
            report.Paragraph($"## {benchmark.Title}");
            report.Paragraph($"`dotnet run -c Release --project bench -- {benchmark.Name}`");
            failed |= await benchmark.RunAsync(benchmark.Parse(quick ? ["--quick"] : []), report, cancellation) != ExitCode.Done;
        }

        var head = new Report(TextWriter.Null);
        head.Paragraph("# Results");
        var command = $"dotnet run -c Release --project bench -- all{(quick ? " --quick" : string.Empty)}";
        var took = Stopwatch.GetElapsedTime(start);
        head.Paragraph(string.Create(
            CultureInfo.InvariantCulture, $"Written by `{command}` on {day:yyyy-MM-dd}, in {took.TotalMinutes:0.0} minutes."));
        if (quick) head.Paragraph("**A quick run: it shows that the commands work and what they print. The figures mean nothing.**");
        head.Block(string.Join('\n', HostEnvironmentInfo.GetCurrent().ToFormattedString().Select(line => line.Trim())));
        head.Paragraph($"{string.Join(", ", Versions())}.");
        AtomicFile.WriteText(path, $"{head}{report}".TrimEnd() + "\n");
        Report.Progress($"written: {path}");
        return failed ? ExitCode.Failed : ExitCode.Done;
    }

    private static IEnumerable<string> Versions() =>
    [
        RuntimeInformation.FrameworkDescription,
        $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}",
        Version("Microsoft.ML", typeof(MLContext)),
        Version("Microsoft.ML.LightGbm", typeof(LightGbmExtensions)),
        Version("Microsoft.ML.FastTree", typeof(TreeExtensions)),
    ];

    // 5.0.1+commit
    private static string Version(string package, Type of) =>
        $"{package} {of.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0]}";
}

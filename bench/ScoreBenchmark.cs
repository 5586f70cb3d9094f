using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tests.Execution;

namespace MlNetBatchNorm.Bench;

/// <summary>Our scorer beside ONNX Runtime at its limit, as it is usually called, and unfolded; beside PyTorch and TorchSharp.</summary>
internal sealed class ScoreBenchmark : Benchmark
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private static readonly string[] Header =
        ["network", "rows", "ours", "by ONNX Runtime", "limit", "usual", "unfolded", .. PeerTimes.All, "bytes"];


    private readonly Option<string[]> _peers = PeerTimes.Option();
    private readonly Option<string?> _json = new("--json") { Description = "also write the figures to a file", HelpName = "FILE" };
    private readonly Option<Device> _device = CommonOptions.Device(Device.Cpu);
    private readonly Option<double?> _seconds = new("--seconds") { Description = "how long each way is timed [default: 1]" };
    private readonly Option<int[]> _rows = new("--rows")
    {
        Description = "rows in a call, several with spaces between them [default: 1 16 256 4096]",
        AllowMultipleArgumentsPerToken = true,
    };

    public ScoreBenchmark()
        : base("score", "Scoring", "Time calls of 1 to 4096 rows by four networks, beside ONNX Runtime itself, PyTorch and TorchSharp.")
    {
        _device.Description += "; for our scorer: what it is compared with stays on the CPU";
        _seconds.RequireRange(0.001, 1000);
        _rows.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int[]>()?.Any(count => count is < 1 or > 1 << 20) == true)
                result.AddError("--rows must be from 1 to 1048576.");
        });
        foreach (var option in new Option[] { _rows, _seconds, _device, _peers, _json }) Add(option);
    }

    public override async Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var quick = arguments.GetValue(Quick);
        var counts = arguments.GetValue(_rows) is { Length: > 0 } given ? given : quick ? [1, 16, 256] : [1, 16, 256, 4096];
        var each = TimeSpan.FromSeconds(arguments.GetValue(_seconds) ?? (quick ? 0.01 : 1));
        var device = arguments.GetValue(_device)!;
        var peers = await PeerTimes.MeasureAsync(arguments.GetValue(_peers)!, "score", quick ? 0.005 : 0.25, counts, cancellation);
        if (device != Device.Cpu)
        {
            using var there = new ScorerContender(BenchmarkNetwork.All[0].Train().Folded, 1, device);
            report.Paragraph($"Ours {there.Place}; the others on cpu.");
        }

        var figures = new JsonArray();
        var engines = new List<string>();
        foreach (var (name, train) in Networks())
        {
            Report.Progress($"score {name}");
            var (unfolded, folded) = train();
            using (var scorer = new ScorerContender(folded, 1, device)) engines.Add($"{name}: {scorer.Engine}");
            foreach (var count in counts)
            {
                var measured = Measure(unfolded, folded, count, device, each, cancellation);
                (measured["network"], measured["rows"], measured["device"]) = (name, count, device.ToString());
                foreach (var (peer, times) in PeerTimes.All.Zip(peers)) measured[Key(peer)] = times[name, count];
                figures.Add(measured);
            }
        }

        var scaling = Scaling.Measure(BenchmarkNetwork.All[0].Train().Folded, Math.Min(2, Environment.ProcessorCount), each, cancellation);
        Show(report, figures, scaling, peers);
        report.Paragraph($"What our scorer chose to compute with: {string.Join("; ", engines)}.");
        if (arguments.GetValue(_json) is { } path)
        {
            var document = new JsonObject
            {
                ["score"] = figures,
                ["scaling"] = new JsonObject { ["threads"] = scaling.Threads, ["factor"] = scaling.Factor, ["limit"] = scaling.Limit },
            };
            AtomicFile.WriteText(path, document.ToJsonString(Indented) + "\n");
        }

        return ExitCode.Done;
    }

    // Our own, and an ensemble of eight members of 64 units on 8 numbers in 49 bins each.
    private static IEnumerable<(string Name, Func<(ModelProto Unfolded, ModelProto Folded)> Train)> Networks() =>
    [
        .. BenchmarkNetwork.All.Select(network => (network.Name, (Func<(ModelProto, ModelProto)>)network.Train)),
        ("8 × (8-64-64-1)", () => (Members(), Members())),
    ];

    private static ModelProto Members() => MembersModel.Create(features: 8, bins: 49, members: 8, hidden: 64, results: 1);

    private static JsonObject Measure(
        ModelProto unfolded, ModelProto folded, int count, Device device, TimeSpan each, CancellationToken cancellation)
    {
        var cores = Environment.ProcessorCount;

        // The limit is what the better of one thread and all of them reaches; our scorer has to find that out by itself.
        using var ours = new ScorerContender(folded, count, device);
        using var oursThere = new ScorerContender(folded, count, device, engine: ScoringEngine.OnnxRuntime);
        using var rawOne = new BoundContender(folded, count, threads: 1);
        using var rawAll = new BoundContender(folded, count, threads: cores);
        using var naive = new NamedValueContender(folded, count);
        using var unfoldedOne = new BoundContender(unfolded, count, threads: 1, optimize: false);
        using var unfoldedAll = new BoundContender(unfolded, count, threads: cores, optimize: false);
        var times = Turns.Measure([ours, oursThere, rawOne, rawAll, naive, unfoldedOne, unfoldedAll], each, cancellation);
        return new JsonObject
        {
            ["oursMicroseconds"] = times[0],
            ["oursByOnnxRuntimeMicroseconds"] = times[1],
            ["rawMicroseconds"] = Math.Min(times[2], times[3]),
            ["naiveMicroseconds"] = times[4],
            ["unfoldedMicroseconds"] = Math.Min(times[5], times[6]),
            ["allocatedBytesPerCall"] = Turns.AllocatedBytes(ours),
        };
    }

    private static void Show(Report report, JsonArray figures, Scaling scaling, IReadOnlyList<PeerTimes> peers)
    {
        string[] times =
        [
            "oursMicroseconds", "oursByOnnxRuntimeMicroseconds", "rawMicroseconds", "naiveMicroseconds", "unfoldedMicroseconds",
            .. PeerTimes.All.Select(Key),
        ];
        report.Paragraph(
            "Microseconds a call, the best of many rounds in turn. *by ONNX Runtime*: ours where it may not compute by itself. "
            + "*limit*: ONNX Runtime with input and output bound once to memory of exactly their size, the better of one thread and all "
            + "cores. *usual*: `session.Run` with `NamedOnnxValue`, as in its "
            + "tutorials. *unfolded*: as the limit, the model before folding and without ONNX Runtime's own optimizations. *bytes*: "
            + "managed memory that a call of ours allocates. Peers run in processes of their own just before, with batch norms folded by "
            + $"hand and the best of several settings of their threads: {string.Join("; ", peers.Select(peer => peer.Name))}; PyTorch by "
            + "the best of eager, frozen and optimized TorchScript, TorchSharp eager, which is all it has.");
        report.Table(Header, figures.Select(row => (IReadOnlyList<string>)
        [
            row!["network"]!.ToString(),
            row["rows"]!.GetValue<int>().ToString("N0", CultureInfo.InvariantCulture),
            .. times.Select(time => row[time] is { } value ? Microseconds(value.GetValue<double>()) : "–"),
            row["allocatedBytesPerCall"]!.GetValue<double>().ToString("0", CultureInfo.InvariantCulture),
        ]), texts: 1);
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"{scaling.Threads} threads score {scaling.Factor:0.00} times the single rows of one ({BenchmarkNetwork.All[0].Name}); ")
            + string.Create(CultureInfo.InvariantCulture, $"with nothing shared, ONNX Runtime itself {scaling.Limit:0.00} times."));
    }

    // PyTorch → pyTorchMicroseconds
    private static string Key(string peer) => $"{char.ToLowerInvariant(peer[0])}{peer[1..]}Microseconds";

    private static string Microseconds(double value) => value.ToString(value < 1000 ? "N1" : "N0", CultureInfo.InvariantCulture);
}

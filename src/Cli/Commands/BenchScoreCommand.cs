using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Benchmarks;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn bench score</c>: our scorer beside ONNX Runtime at its limit, as it is usually called, unfolded, and beside PyTorch.</summary>
internal static class BenchScoreCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static Command Create()
    {
        var json = new Option<string?>("--json") { Description = "also write the numbers to a file", HelpName = "FILE" };
        var peer = new Option<string>("--peer")
        {
            Description = "the script that times PyTorch on the same networks",
            HelpName = "SCRIPT",
            DefaultValueFactory = _ => Path.Combine("bench", "peers", "score.py"),
        };
        var counts = new Option<int[]>("--rows")
        {
            Description = "rows in a call, several with spaces between them",
            DefaultValueFactory = _ => [1, 16, 256, 4096],
            AllowMultipleArgumentsPerToken = true,
        };
        counts.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int[]>()?.Any(count => count is < 1 or > 1 << 20) == true) result.AddError("--rows must be from 1 to 1048576.");
        });
        var seconds = new Option<double>("--seconds") { Description = "how long each way of scoring is timed", DefaultValueFactory = _ => 1 };
        seconds.RequireRange(0.001, 1000);
        var device = CommonOptions.Device(Device.Cpu);
        device.Description += "; for our scorer: what it is compared with stays on the CPU";
        var command = new Command("score", "Time scoring of 1 to 4096 rows by three networks, in turn with ONNX Runtime itself and PyTorch.")
        {
            json, peer, counts, seconds, device,
        };
        command.SetAction(async (arguments, cancellation) =>
        {
            var (peers, problem) = await PeerTimes.MeasureAsync(arguments.GetValue(peer)!, cancellation);
            if (problem is not null) await Console.Error.WriteLineAsync($"mlnetbn: no times of PyTorch: {problem}");
            var each = TimeSpan.FromSeconds(arguments.GetValue(seconds));
            var rows = new JsonArray();
            if (arguments.GetValue(device) != Device.Cpu)
            {
                using var there = new ScorerContender(BenchmarkNetwork.All[0].Train().Folded, 1, arguments.GetValue(device)!);
                Console.WriteLine($"ours {there.Place}; the others on cpu");
            }

            Console.WriteLine($"{"µs a call",-20} {"rows",5} {"ours",10} {"raw",10} {"naive",10} {"unfolded",10} {"PyTorch",10} {"bytes",6}");
            foreach (var network in BenchmarkNetwork.All)
            {
                var (unfolded, folded) = network.Train();
                foreach (var count in arguments.GetValue(counts)!) rows.Add(Measure(network.Name, unfolded, folded, count, peers[network.Name, count], arguments.GetValue(device)!, each, cancellation));
            }

            var scaling = Scaling.Measure(BenchmarkNetwork.All[0].Train().Folded, Math.Min(2, Environment.ProcessorCount), each, cancellation);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{scaling.Threads} threads score {scaling.Factor:0.00} times the single rows of one ({BenchmarkNetwork.All[0].Name}); with nothing shared, ONNX Runtime itself {scaling.Limit:0.00} times"));
            if (arguments.GetValue(json) is { } path)
            {
                var document = new JsonObject
                {
                    ["score"] = rows,
                    ["scaling"] = new JsonObject { ["threads"] = scaling.Threads, ["factor"] = scaling.Factor, ["limit"] = scaling.Limit },
                };
                AtomicFile.WriteText(path, document.ToJsonString(Indented) + "\n");
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static JsonObject Measure(
        string network, ModelProto unfolded, ModelProto folded, int count, double? peer, Device device, TimeSpan each, CancellationToken cancellation)
    {
        var cores = Environment.ProcessorCount;

        // The limit is what the better of one thread and all of them reaches; our scorer has to find that out by itself.
        using var ours = new ScorerContender(folded, count, device);
        using var rawOne = new BoundContender(folded, count, threads: 1);
        using var rawAll = new BoundContender(folded, count, threads: cores);
        using var naive = new NamedValueContender(folded, count);
        using var unfoldedOne = new BoundContender(unfolded, count, threads: 1, optimize: false);
        using var unfoldedAll = new BoundContender(unfolded, count, threads: cores, optimize: false);
        var times = Turns.Measure([ours, rawOne, rawAll, naive, unfoldedOne, unfoldedAll], each, cancellation);
        var (raw, plain, bytes) = (Math.Min(times[1], times[2]), Math.Min(times[4], times[5]), Turns.AllocatedBytes(ours));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{network,-20} {count,5} {times[0],10:0.0} {raw,10:0.0} {times[3],10:0.0} {plain,10:0.0} {peer,10:0.0} {bytes,6:0}"));
        return new JsonObject
        {
            ["network"] = network,
            ["rows"] = count,
            ["device"] = device.ToString(),
            ["oursMicroseconds"] = times[0],
            ["rawMicroseconds"] = raw,
            ["naiveMicroseconds"] = times[3],
            ["unfoldedMicroseconds"] = plain,
            ["peerMicroseconds"] = peer,
            ["allocatedBytesPerCall"] = bytes,
        };
    }
}

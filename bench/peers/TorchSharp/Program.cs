// Times the networks of the benchmarks `score` and `train` in TorchSharp, in the terms of score.py and train.py beside this folder, and
// prints the times as JSON. Each number of threads has a process of its own; the best one counts.
//
//   dotnet run -c Release --project bench/peers/TorchSharp -- score|train [--seconds S] [--rows 1,16,256,4096]

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Bench.Peers;

if (args is not [("score" or "train") and var work, .. var options] || options.Length % 2 != 0)
{
    Console.Error.WriteLine("usage: score|train [--seconds S] [--rows 1,16,256,4096]");
    return 2;
}

var given = options.Chunk(2).ToDictionary(option => option[0], option => option[1]);
try
{
    StandardCppLibrary.Adapt(Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so"));
}
catch (NotSupportedException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}

if (given.TryGetValue("--threads", out var threads))
{
    var usual = work == "score" ? "0.25" : "1.5";
    var each = TimeSpan.FromSeconds(double.Parse(given.GetValueOrDefault("--seconds", usual), CultureInfo.InvariantCulture));
    var rows = given.GetValueOrDefault("--rows", "1,16,256,4096").Split(',').Select(text => long.Parse(text, CultureInfo.InvariantCulture));
    var count = int.Parse(threads, CultureInfo.InvariantCulture);
    var measured = work == "score" ? Times.Score(count, each, [.. rows]) : Times.Train(count, each);
    Console.WriteLine(new JsonArray([.. measured]).ToJsonString());
    return 0;
}

var best = new Dictionary<string, JsonNode>();
for (var count = 1; count <= Math.Min(2, Environment.ProcessorCount); count++)
{
    var cores = count.ToString(CultureInfo.InvariantCulture);
    var start = new ProcessStartInfo("dotnet", [typeof(Times).Assembly.Location, .. args, "--threads", cores])
    {
        RedirectStandardOutput = true,
        Environment = { ["OMP_NUM_THREADS"] = cores },
    };
    using var process = Process.Start(start)!;
    var text = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    if (process.ExitCode != 0) return process.ExitCode;
    foreach (var one in JsonNode.Parse(text)!.AsArray())
    {
        var key = $"{one!["network"]} {one["rows"]}";
        if (!best.TryGetValue(key, out var before) || Time(one) < Time(before)) best[key] = one.DeepClone();
    }
}

var result = new JsonObject { ["peer"] = Times.Peer, [work] = new JsonArray([.. best.Values]) };
Console.WriteLine(result.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
return 0;

static double Time(JsonNode of) => of["microseconds"]!.GetValue<double>();

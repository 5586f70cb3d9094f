// Times the networks of the benchmarks `score` and `train` in TorchSharp, in the terms of score.py and train.py beside this folder, and prints
// the times as JSON. Each number of threads has a process of its own; the best one counts.
//
//   dotnet run -c Release --project bench/peers/TorchSharp -- score|train [SECONDS FOR EACH]

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Bench.Peers;

if (args is not [("score" or "train") and var work, .. var rest] || rest.Length > 2)
{
    Console.Error.WriteLine("usage: score|train [SECONDS FOR EACH]");
    return 2;
}

try
{
    StandardCppLibrary.Adapt(Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so"));
}
catch (NotSupportedException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}

var seconds = rest.Length > 0 ? rest[0] : work == "score" ? "0.25" : "1.5";
if (rest is [_, var threads])
{
    var each = TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture));
    var measured = work == "score" ? Times.Score(int.Parse(threads, CultureInfo.InvariantCulture), each)
        : Times.Train(int.Parse(threads, CultureInfo.InvariantCulture), each);
    Console.WriteLine(new JsonArray([.. measured]).ToJsonString());
    return 0;
}

var time = work == "score" ? "microseconds" : "microsecondsPerStep";
var best = new Dictionary<string, JsonNode>();
for (var count = 1; count <= Math.Min(2, Environment.ProcessorCount); count++)
{
    var start = new ProcessStartInfo("dotnet", [typeof(Times).Assembly.Location, work, seconds, count.ToString(CultureInfo.InvariantCulture)])
    {
        RedirectStandardOutput = true,
        Environment = { ["OMP_NUM_THREADS"] = count.ToString(CultureInfo.InvariantCulture) },
    };
    using var process = Process.Start(start)!;
    var text = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    if (process.ExitCode != 0) return process.ExitCode;
    foreach (var one in JsonNode.Parse(text)!.AsArray())
    {
        var key = $"{one!["network"]} {one["rows"]}";
        if (!best.TryGetValue(key, out var before) || one[time]!.GetValue<double>() < before[time]!.GetValue<double>()) best[key] = one.DeepClone();
    }
}

var result = new JsonObject { ["peer"] = Times.Peer, [work] = new JsonArray([.. best.Values]) };
Console.WriteLine(result.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
return 0;

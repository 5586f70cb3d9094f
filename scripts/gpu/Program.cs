using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MlNetBatchNorm;
using MlNetBatchNorm.GpuChecks;
using MlNetBatchNorm.Onnx.Files;

// Where the numbers are made (record), and where they are checked (run); check.sh does the latter.
const int Failed = 1, NoDriver = 4;
var folder = new Argument<string>("folder") { Description = "where models and expected numbers lie" };
var result = new Argument<string>("result") { Description = "the JSON file that a section is added to" };
var device = new Option<Device>("--device")
{
    Description = "what to check, as cpu or cuda",
    DefaultValueFactory = _ => Device.Cuda(),
    CustomParser = argument => Device.Parse(argument.Tokens[0].Value),
};
var library = new Option<string?>("--library") { Description = "register this provider library instead of the one inside ONNX Runtime" };
var seconds = new Option<double>("--seconds")
{
    Description = "how long each time is measured",
    DefaultValueFactory = _ => 1,
};
var section = new Option<string>("--section") { Description = "the name of the section", DefaultValueFactory = _ => "checks" };

var recording = new Command("record", "Train small models on the CPU, and write down what they and training steps answer.") { folder };
recording.SetAction(arguments => Expectations.Record(arguments.GetValue(folder)!));

var driver = new Command("driver", $"Whether there is an NVIDIA driver; exit code {NoDriver} where not.");
driver.SetAction(_ =>
{
    var name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
    var loads = NativeLibrary.TryLoad(name, out var _);
    Console.WriteLine(loads ? $"the NVIDIA driver's library {name} loads" : $"no NVIDIA driver: {name} cannot be loaded");
    return loads ? 0 : NoDriver;
});

var run = new Command("run", "Check a device against the expected numbers.") { folder, result, device, library, section };
run.SetAction(arguments =>
{
    var path = arguments.GetValue(library);
    var wanted = arguments.GetValue(device)!;
    if (path is not null) wanted = Device.Cuda(new CudaOptions { Index = wanted.Index, Library = path });
    var checks = new CheckList(wanted);
    DeviceChecks.Run(checks, wanted, arguments.GetValue(folder)!);
    NumberChecks.Run(checks, wanted, arguments.GetValue(folder)!);
    Sections.Add(arguments.GetValue(result)!, arguments.GetValue(section)!, new JsonObject
    {
        ["device"] = wanted.ToString(),
        ["passed"] = checks.Passed,
        ["failed"] = checks.Failed,
        ["checks"] = checks.ToJson(),
    });
    Console.WriteLine($"{arguments.GetValue(section)}: {checks.Passed} passed, {checks.Failed} failed");
    return checks.Failed == 0 ? 0 : Failed;
});

var time = new Command("time", "Time scoring and training on a device and on the CPU.") { result, device, seconds, section };
time.SetAction(arguments => Sections.Add(
    arguments.GetValue(result)!,
    arguments.GetValue(section)!,
    Times.Measure(arguments.GetValue(device)!, TimeSpan.FromSeconds(arguments.GetValue(seconds)))));

var from = new Argument<string>("from") { Description = "a JSON file" };
var add = new Command("add", "Add a JSON file to the results as a section.") { result, from, section };
add.SetAction(arguments => Sections.Add(
    arguments.GetValue(result)!, arguments.GetValue(section)!, JsonNode.Parse(File.ReadAllText(arguments.GetValue(from)!))!));

return new RootCommand("What this project says about GPUs, checked on one.") { recording, driver, run, time, add }.Parse(args).Invoke();

/// <summary>The one file that results are gathered in.</summary>
internal static class Sections
{
    /// <summary>Adds a section; one of that name is replaced.</summary>
    public static void Add(string path, string name, JsonNode content)
    {
        var all = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path))!.AsObject() : [];
        all[name] = content;
        AtomicFile.WriteText(path, all.ToJsonString(new() { WriteIndented = true }) + "\n");
    }
}

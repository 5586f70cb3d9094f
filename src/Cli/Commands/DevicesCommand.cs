using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reporting;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn devices</c>: what models can run on here, what is missing, and how to get it.</summary>
internal static class DevicesCommand
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var json = new Option<string?>("--json") { Description = "also write what was found to a file (- is stdout)", HelpName = "FILE" };
        var command = new Command("devices", "Show what models can run on here, what is missing, and how to get it.") { json };
        command.SetAction(arguments =>
        {
            var path = arguments.GetValue(json);
            if (path is not null) Output.Require(path);
            var survey = DeviceSurvey.Take();
            Print(survey);
            if (path is not null) Output.WriteText(path, text => text.Write(ToJson(survey).ToJsonString(Indented) + "\n"));
        });
        return command;
    }

    private static void Print(DeviceSurvey survey)
    {
        Console.WriteLine($"ONNX Runtime {survey.RuntimeVersion} with {string.Join(", ", survey.Providers)}");
        foreach (var hardware in survey.Hardware) Console.WriteLine($"sees {hardware}");
        foreach (var status in survey.Devices)
        {
            Console.WriteLine(
                $"{status.Device,-14} {(status.IsAvailable ? "ready: a small model ran and gave the right numbers" : "not available")}");
            if (status is { IsAvailable: true, Memory: { } memory }) Console.WriteLine($"{string.Empty,-14} {memory}");
            if (status.IsAvailable) continue;
            foreach (var attempt in status.Attempts) Console.WriteLine($"{string.Empty,-14} tried {attempt}");
            Console.WriteLine($"{string.Empty,-14} needs {status.Install}");
        }
    }

    private static JsonObject ToJson(DeviceSurvey survey) => new()
    {
        ["runtimeVersion"] = survey.RuntimeVersion,
        ["providers"] = new JsonArray([.. survey.Providers.Select(provider => (JsonNode)provider)]),
        ["hardware"] = new JsonArray([.. survey.Hardware.Select(hardware => (JsonNode)hardware)]),
        ["devices"] = new JsonArray([.. survey.Devices.Select(status => (JsonNode)new JsonObject
        {
            ["device"] = status.Device.ToString(),
            ["available"] = status.IsAvailable,
            ["tried"] = new JsonArray([.. status.Attempts.Select(attempt => (JsonNode)new JsonObject
            {
                ["what"] = attempt.What,
                ["answer"] = attempt.Answer,
                ["found"] = attempt.Found,
            })]),
            ["needs"] = status.Install,
            ["tensors"] = status.Memory?.ToString(),
        })]),
    };
}

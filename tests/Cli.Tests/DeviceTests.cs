using System.Text.Json;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Tests;

public sealed class DeviceTests : IDisposable
{
    // No machine has so many.
    private const string NoSuchGpu = "cuda:9999";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Devices_ListsWhatIsThereAndWhatTheOthersNeed()
    {
        var result = Tool.Run(_folder.Path, "devices", "--json", "devices.json");
        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith("ONNX Runtime 1.", result.Output, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^cpu +ready", result.Output);
        Assert.Matches(@"(?m)^cuda:0 +(ready|not available)", result.Output);
        using var json = JsonDocument.Parse(File.ReadAllText(_folder.File("devices.json")));
        var devices = json.RootElement.GetProperty("devices").EnumerateArray().ToList();
        Assert.Equal("cpu", devices[0].GetProperty("device").GetString());
        Assert.True(devices[0].GetProperty("available").GetBoolean());
        Assert.All(
            devices.Skip(1).Where(device => !device.GetProperty("available").GetBoolean()),
            device => Assert.NotEmpty(device.GetProperty("needs").GetString()!));
    }

    [Fact]
    public void Inspect_Device_SaysWhereEachNodeRuns()
    {
        var result = Tool.Run(_folder.Path, "inspect", Model(), "--device", "cpu");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("on CPUExecutionProvider", result.Output, StringComparison.Ordinal);
        Assert.Contains("1: the sine (Sin)", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void DeviceThatIsNotThere_IsOneLineOnEveryCommandAndNoFile()
    {
        var model = Model();
        string[][] commands =
        [
            ["inspect", model], ["fold", model, "out.onnx"], ["demo", "--out", "out"],
        ];
        foreach (var command in commands)
        {
            var result = Tool.Run(_folder.Path, [.. command, "--device", NoSuchGpu]);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains(
                $"mlnetbn: The device {NoSuchGpu} was asked for, but cannot be used. Tried: (1) ", result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Trim().Split('\n'), line => line.StartsWith("mlnetbn:", StringComparison.Ordinal));
        }

        Assert.Equal([model], _folder.Files());
    }

    [Fact]
    public void Fold_DeviceOrCpu_FallsBack() =>
        Assert.Equal(0, Tool.Run(_folder.Path, "fold", Model(), "out.onnx", "--device", $"{NoSuchGpu},cpu").ExitCode);

    [Fact]
    public void Device_NoSuchKind_IsWrongUsage()
    {
        var result = Tool.Run(_folder.Path, "inspect", Model(), "--device", "tpu");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'tpu' is not a device; use auto, cpu, cuda", result.Error, StringComparison.Ordinal);
    }

    private string Model()
    {
        var nodes = new GraphBuilder("sine");
        nodes.Output("y", nodes.Named("the sine", "Sin", [nodes.Input("x", DataType.Float, "N", 2)]), DataType.Float, "N", 2);
        ModelFile.Write(nodes.Build(), _folder.File("sine.onnx"));
        return "sine.onnx";
    }
}

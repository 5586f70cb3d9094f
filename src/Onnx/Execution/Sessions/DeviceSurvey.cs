using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm;

/// <summary>What this machine can run models on, found out by running one.</summary>
public sealed record DeviceSurvey
{
    internal DeviceSurvey(
        string runtimeVersion, IReadOnlyList<string> providers, IReadOnlyList<string> hardware, IReadOnlyList<DeviceStatus> devices) =>
        (RuntimeVersion, Providers, Hardware, Devices) = (runtimeVersion, providers, hardware, devices);

    /// <summary>The version of ONNX Runtime's native library.</summary>
    public string RuntimeVersion { get; }

    /// <summary>The execution providers inside it.</summary>
    public IReadOnlyList<string> Providers { get; }

    /// <summary>The processors that ONNX Runtime sees, a line each.</summary>
    public IReadOnlyList<string> Hardware { get; }

    /// <summary>The devices, the CPU first.</summary>
    public IReadOnlyList<DeviceStatus> Devices { get; }

    /// <summary>Looks for every device that is known, each with its default options.</summary>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static DeviceSurvey Take()
    {
        NativeRuntime.Require();
        var environment = OrtEnv.Instance();
        return new(
            environment.GetVersionString(),
            environment.GetAvailableProviders(),
            [.. environment.GetHardwareDevices().Select(Describe)],
            [Check(Device.Cpu, string.Empty), .. ExecutionProvider.All.Select(provider => Check(provider.Default, provider.Install))]);
    }

    private static string Describe(OrtHardwareDevice device) =>
        string.Create(
            CultureInfo.InvariantCulture, $"{device.Type} {device.Vendor} (vendor {device.VendorId:x4}, device {device.DeviceId:x4})");

    private static DeviceStatus Check(Device device, string install)
    {
        try
        {
            using var session = OnnxSession.Load(Product(), new ExecutionOptions { Device = device, Name = "a small model" });
            var outputs = session.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, 2f], 1, 2) });
            var right = outputs["y"].Data is float[] and [var first, var second] &&
                Math.Abs(first - 7) < 1e-3 && Math.Abs(second - 10) < 1e-3;
            var attempts = session.DeviceReport.Attempts;
            if (!right) attempts = [.. attempts, new("running a small model", "its numbers are wrong")];
            return new(device, right, attempts, install) { Memory = session.Memory };
        }
        catch (DeviceNotAvailableException exception)
        {
            return new(device, false, exception.Attempts, install);
        }
        catch (ModelRunException exception)
        {
            return new(device, false, [new("running a small model", exception.Message)], install);
        }
    }

    // [1, 2] · [[1, 2], [3, 4]] = [7, 10]
    private static MlNetBatchNorm.Onnx.Proto.ModelProto Product()
    {
        var nodes = new GraphBuilder("product");
        var weights = nodes.Initializer(TensorData.Create("weights", [1f, 2f, 3f, 4f], 2, 2));
        nodes.Output("y", nodes.Node("MatMul", [nodes.Input("x", DataType.Float, 1, 2), weights]), DataType.Float, 1, 2);
        return nodes.Build();
    }
}

/// <summary>Whether a device can be used here.</summary>
public sealed record DeviceStatus
{
    internal DeviceStatus(Device device, bool isAvailable, IReadOnlyList<DeviceAttempt> attempts, string install) =>
        (Device, IsAvailable, Attempts, Install) = (device, isAvailable, attempts, install);

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>Whether a small model ran on it and gave the right numbers.</summary>
    public bool IsAvailable { get; }

    /// <summary>What was tried.</summary>
    public IReadOnlyList<DeviceAttempt> Attempts { get; }

    /// <summary>What it needs; empty for the CPU.</summary>
    public string Install { get; }

    /// <summary>How tensors get to a model there; null where none ran.</summary>
    internal MemoryReport? Memory { get; init; }
}

using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>GPUs on Windows through DirectX 12. Options: ONNX Runtime's page "DirectML Execution Provider".</summary>
internal sealed class DirectMlProvider : ExecutionProvider
{
    public override DeviceKind Kind => DeviceKind.DirectMl;

    public override string Name => "directml";

    public override string ProviderName => "DmlExecutionProvider";

    public override bool IsAutomatic => true;

    public override string? NotHere => OperatingSystem.IsWindows() ? null : "DirectML is part of Windows";

    public override string Install => "Windows 10 (1903) or later, and the package Microsoft.ML.OnnxRuntime.DirectML instead of Microsoft.ML.OnnxRuntime.";

    public static Dictionary<string, string> Options(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new() { ["device_id"] = Text(index) };
    }

    public override Device? Parse(string? text) => Number(text) is { } index ? Device.DirectMl(index) : null;

    public override void AppendBuiltIn(SessionOptions options, Device device) => options.AppendExecutionProvider("DML", device.Options.ToDictionary());

    // The provider refuses memory patterns.
    public override void Configure(SessionOptions options) => options.EnableMemoryPattern = false;
}

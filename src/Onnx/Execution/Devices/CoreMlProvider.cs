using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>Apple's GPU and neural engine. Options: ONNX Runtime's page "CoreML Execution Provider".</summary>
internal sealed class CoreMlProvider : ExecutionProvider
{
    public override DeviceKind Kind => DeviceKind.CoreMl;

    public override string Name => "coreml";

    public override string Usage => Name;

    public override string ProviderName => "CoreMLExecutionProvider";

    public override string? NotHere =>
        OperatingSystem.IsMacOS() || OperatingSystem.IsIOS() ? null : "CoreML is part of Apple's operating systems";

    public override string Install => "macOS 12 or later, and the package Microsoft.ML.OnnxRuntime, whose library for macOS has it.";

    public static Dictionary<string, string> Options(string computeUnits, IReadOnlyDictionary<string, string>? more)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(computeUnits);
        return Merge(new() { ["ModelFormat"] = "MLProgram", ["MLComputeUnits"] = computeUnits }, more);
    }

    public override Device? Parse(string? text) => text is null ? Device.CoreMl() : null;

    public override string Write(Device device) => Name;

    public override void AppendBuiltIn(SessionOptions options, Device device) => options.AppendExecutionProvider("CoreML", device.Options.ToDictionary());
}

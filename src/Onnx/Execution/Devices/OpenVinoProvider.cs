using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>Intel's hardware through OpenVINO. Options: ONNX Runtime's page "OpenVINO Execution Provider".</summary>
internal sealed class OpenVinoProvider : ExecutionProvider
{
    private const string Hardware = "device_type";

    public override DeviceKind Kind => DeviceKind.OpenVino;

    public override string Name => "openvino";

    public override string Usage => "openvino or openvino:GPU";

    public override string ProviderName => "OpenVINOExecutionProvider";

    public override string LibraryName => "onnxruntime_providers_openvino";

    public override string Install => "OpenVINO, and the package Intel.ML.OnnxRuntime.OpenVino instead of Microsoft.ML.OnnxRuntime.";

    public static Dictionary<string, string> Options(string hardware, IReadOnlyDictionary<string, string>? more)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(hardware);
        return Merge(new() { [Hardware] = hardware }, more);
    }

    public override Device? Parse(string? text) => text is null ? Device.OpenVino() : text.Length > 0 ? Device.OpenVino(text.ToUpperInvariant()) : null;

    public override string Write(Device device) => $"{Name}:{device.Options[Hardware]}";

    public override void AppendBuiltIn(SessionOptions options, Device device) => options.AppendExecutionProvider("OpenVINO", device.Options.ToDictionary());
}

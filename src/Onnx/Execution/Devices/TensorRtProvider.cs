using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>NVIDIA GPUs through TensorRT. Options: ONNX Runtime's page "TensorRT Execution Provider".</summary>
internal sealed class TensorRtProvider : ExecutionProvider
{
    public override DeviceKind Kind => DeviceKind.TensorRt;

    public override string Name => "tensorrt";

    public override string ProviderName => "TensorrtExecutionProvider";

    public override string LibraryName => "onnxruntime_providers_tensorrt";

    public override string? NotHere => OperatingSystem.IsMacOS() ? "there is no TensorRT for macOS" : null;

    public override string Install => "What cuda needs, and TensorRT 10. See docs/gpu.md.";

    public static Dictionary<string, string> Options(
        int index, bool half, string? engineCache, long? memoryLimit, IReadOnlyDictionary<string, string>? more)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (memoryLimit is { } given) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(given, nameof(memoryLimit));
        var options = new Dictionary<string, string> { ["device_id"] = Text(index) };
        if (half) options["trt_fp16_enable"] = "1";
        if (memoryLimit is { } limit) options["trt_max_workspace_size"] = Text(limit);
        if (engineCache is not null)
        {
            options["trt_engine_cache_enable"] = "1";
            options["trt_engine_cache_path"] = engineCache;
        }

        return Merge(options, more);
    }

    public override Device? Parse(string? text) => Number(text) is { } index ? Device.TensorRt(index) : null;

    public override void AppendBuiltIn(SessionOptions options, Device device)
    {
        using var provider = new OrtTensorRTProviderOptions();
        provider.UpdateOptions(device.Options.ToDictionary());
        options.AppendExecutionProvider_Tensorrt(provider);
    }
}

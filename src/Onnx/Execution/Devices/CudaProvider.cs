using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>NVIDIA GPUs through CUDA and cuDNN. Options: ONNX Runtime's page "CUDA Execution Provider".</summary>
internal sealed class CudaProvider : ExecutionProvider
{
    private const string Graph = "enable_cuda_graph";

    public override DeviceKind Kind => DeviceKind.Cuda;

    public override string Name => "cuda";

    public override string ProviderName => "CUDAExecutionProvider";

    public override string LibraryName => "onnxruntime_providers_cuda";

    public override bool IsAutomatic => true;

    public override string? NotHere => OperatingSystem.IsMacOS() ? "there is no CUDA for macOS" : null;

    public override string Install =>
        "An NVIDIA driver, the CUDA toolkit and cuDNN 9, and the package Microsoft.ML.OnnxRuntime.Gpu instead of Microsoft.ML.OnnxRuntime (or its " +
        "onnxruntime_providers_cuda and onnxruntime_providers_shared libraries beside the application). See docs/gpu.md.";

    public static Dictionary<string, string> Options(
        int index, long? memoryLimit, bool graph, bool tensorFloat32, IReadOnlyDictionary<string, string>? more)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (memoryLimit is { } given) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(given, nameof(memoryLimit));
        var options = new Dictionary<string, string>
        {
            ["device_id"] = Text(index),
            ["use_tf32"] = tensorFloat32 ? "1" : "0",
        };
        if (memoryLimit is { } limit) options["gpu_mem_limit"] = Text(limit);
        if (graph) options[Graph] = "1";
        return Merge(options, more);
    }

    public override Device? Parse(string? text) => Number(text) is { } index ? Device.Cuda(index) : null;

    public override bool RecordsGraphs(Device device) =>
        device.Options.TryGetValue(Graph, out var value) && (value == "1" || value.Equals("true", StringComparison.OrdinalIgnoreCase));

    public override void AppendBuiltIn(SessionOptions options, Device device)
    {
        using var provider = new OrtCUDAProviderOptions();
        provider.UpdateOptions(device.Options.ToDictionary());
        options.AppendExecutionProvider_CUDA(provider);
    }
}

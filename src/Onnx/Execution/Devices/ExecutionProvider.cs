using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>
/// What is to be known about one of ONNX Runtime's execution providers. Adding one is adding a class like its neighbours in
/// ExecutionProviders.cs, and its line in <see cref="All"/>, <see cref="DeviceKind"/> and <see cref="Device"/>.
/// </summary>
internal abstract class ExecutionProvider
{
    /// <summary>All of them, the most wanted first.</summary>
    public static IReadOnlyList<ExecutionProvider> All { get; } =
        [new CudaProvider(), new TensorRtProvider(), new DirectMlProvider(), new CoreMlProvider(), new OpenVinoProvider()];

    public abstract DeviceKind Kind { get; }

    /// <summary>The name that users write.</summary>
    public abstract string Name { get; }

    /// <summary>How users may write it.</summary>
    public virtual string Usage => $"{Name} or {Name}:N";

    /// <summary>The name in <c>GetAvailableProviders</c> and of its devices.</summary>
    public abstract string ProviderName { get; }

    /// <summary>
    /// Its library, without what the operating system puts around the name; null where it only comes inside ONNX Runtime.
    /// </summary>
    public virtual string? LibraryName => null;

    /// <summary>What to install, in one or two sentences.</summary>
    public abstract string Install { get; }

    /// <summary>Why it cannot work on this operating system; null where it can.</summary>
    public virtual string? NotHere => null;

    /// <summary>Whether <see cref="Device.Auto"/> looks for it.</summary>
    public virtual bool IsAutomatic => false;

    public static ExecutionProvider Of(DeviceKind kind) => All.First(provider => provider.Kind == kind);

    /// <summary>The device with its default options.</summary>
    public Device Default => Parse(null)!;

    /// <summary>The device that a text behind the name means; null where it means none.</summary>
    public abstract Device? Parse(string? text);

    public virtual string Write(Device device) => string.Create(CultureInfo.InvariantCulture, $"{Name}:{device.Index}");

    /// <summary>Adds the provider that is part of the native library.</summary>
    public abstract void AppendBuiltIn(SessionOptions options, Device device);

    /// <summary>Whether runs are recorded as CUDA graphs with the device's options.</summary>
    public virtual bool RecordsGraphs(Device device) => false;

    /// <summary>Sets what the provider needs in the session's own options.</summary>
    public virtual void Configure(SessionOptions options)
    {
    }

    protected static int? Number(string? text) =>
        text is null ? 0 : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    protected static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    // Named as CudaOptions and TensorRtOptions name them.
    protected static Dictionary<string, string> OnGpu(int index, long? memoryLimit, string limitName)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index, nameof(CudaOptions.Index));
        var options = new Dictionary<string, string> { ["device_id"] = Text(index) };
        if (memoryLimit is not { } limit) return options;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit, nameof(CudaOptions.MemoryLimit));
        options[limitName] = Text(limit);
        return options;
    }

    protected static Dictionary<string, string> Merge(Dictionary<string, string> options, IReadOnlyDictionary<string, string>? more)
    {
        foreach (var (name, value) in more ?? new Dictionary<string, string>()) options[name] = value;
        return options;
    }
}

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
        "An NVIDIA driver, the CUDA toolkit and cuDNN 9, and the package Microsoft.ML.OnnxRuntime.Gpu instead of " +
        "Microsoft.ML.OnnxRuntime (or its onnxruntime_providers_cuda and onnxruntime_providers_shared libraries beside the application). " +
        "See docs/gpu.md.";

    public static Dictionary<string, string> Settings(CudaOptions given)
    {
        var options = OnGpu(given.Index, given.MemoryLimit, "gpu_mem_limit");
        options["use_tf32"] = given.TensorFloat32 ? "1" : "0";
        if (given.Graph) options[Graph] = "1";
        return Merge(options, given.More);
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

/// <summary>NVIDIA GPUs through TensorRT. Options: ONNX Runtime's page "TensorRT Execution Provider".</summary>
internal sealed class TensorRtProvider : ExecutionProvider
{
    public override DeviceKind Kind => DeviceKind.TensorRt;

    public override string Name => "tensorrt";

    public override string ProviderName => "TensorrtExecutionProvider";

    public override string LibraryName => "onnxruntime_providers_tensorrt";

    public override string? NotHere => OperatingSystem.IsMacOS() ? "there is no TensorRT for macOS" : null;

    public override string Install => "What cuda needs, and TensorRT 10. See docs/gpu.md.";

    public static Dictionary<string, string> Settings(TensorRtOptions given)
    {
        var options = OnGpu(given.Index, given.MemoryLimit, "trt_max_workspace_size");
        if (given.Half) options["trt_fp16_enable"] = "1";
        if (given.EngineCache is not null)
        {
            options["trt_engine_cache_enable"] = "1";
            options["trt_engine_cache_path"] = given.EngineCache;
        }

        return Merge(options, given.More);
    }

    public override Device? Parse(string? text) => Number(text) is { } index ? Device.TensorRt(index) : null;

    public override void AppendBuiltIn(SessionOptions options, Device device)
    {
        using var provider = new OrtTensorRTProviderOptions();
        provider.UpdateOptions(device.Options.ToDictionary());
        options.AppendExecutionProvider_Tensorrt(provider);
    }
}

/// <summary>GPUs on Windows through DirectX 12. Options: ONNX Runtime's page "DirectML Execution Provider".</summary>
internal sealed class DirectMlProvider : ExecutionProvider
{
    public override DeviceKind Kind => DeviceKind.DirectMl;

    public override string Name => "directml";

    public override string ProviderName => "DmlExecutionProvider";

    public override bool IsAutomatic => true;

    public override string? NotHere => OperatingSystem.IsWindows() ? null : "DirectML is part of Windows";

    public override string Install =>
        "Windows 10 (1903) or later, and the package Microsoft.ML.OnnxRuntime.DirectML instead of Microsoft.ML.OnnxRuntime.";

    public static Dictionary<string, string> Options(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new() { ["device_id"] = Text(index) };
    }

    public override Device? Parse(string? text) => Number(text) is { } index ? Device.DirectMl(index) : null;

    public override void AppendBuiltIn(SessionOptions options, Device device) =>
        options.AppendExecutionProvider("DML", device.Options.ToDictionary());

    // The provider refuses memory patterns.
    public override void Configure(SessionOptions options) => options.EnableMemoryPattern = false;
}

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

    public override void AppendBuiltIn(SessionOptions options, Device device) =>
        options.AppendExecutionProvider("CoreML", device.Options.ToDictionary());
}

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

    public override Device? Parse(string? text) => text switch
    {
        null => Device.OpenVino(),
        "" => null,
        _ => Device.OpenVino(text.ToUpperInvariant()),
    };

    public override string Write(Device device) => $"{Name}:{device.Options[Hardware]}";

    public override void AppendBuiltIn(SessionOptions options, Device device) =>
        options.AppendExecutionProvider("OpenVINO", device.Options.ToDictionary());
}

using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm;

/// <summary>
/// Where a model runs. An explicit device is strict: when it cannot be had, loading fails and says what was tried. <see cref="Auto"/> and
/// <see cref="OrCpu"/> fall back; <see cref="OnnxSession.DeviceReport"/> says which device it became and why.
/// </summary>
public sealed record Device
{
    internal Device(DeviceKind kind, int index = 0, IReadOnlyDictionary<string, string>? options = null, string? library = null)
    {
        Kind = kind;
        Index = index;
        Library = library;
        Options = new SortedDictionary<string, string>(options?.ToDictionary() ?? [], StringComparer.Ordinal);
    }

    /// <summary>
    /// A CUDA GPU, or on Windows any GPU, if ONNX Runtime has the provider and a GPU answers; the CPU otherwise. The other devices are
    /// never taken unasked: they compute in lower precision by default, or take long to load a model.
    /// </summary>
    public static Device Auto { get; } = new(DeviceKind.Auto);

    /// <summary>The CPU.</summary>
    public static Device Cpu { get; } = new(DeviceKind.Cpu);

    /// <summary>The kind of device.</summary>
    public DeviceKind Kind { get; }

    /// <summary>Which of several devices of the kind, from 0.</summary>
    public int Index { get; }

    /// <summary>A provider library to register instead of the usual ones: a file, or the folder it is in.</summary>
    public string? Library { get; }

    /// <summary>The options that the execution provider is given, by ONNX Runtime's own names.</summary>
    public IReadOnlyDictionary<string, string> Options { get; }

    /// <summary>Whether the CPU is taken if this device cannot be had.</summary>
    public bool FallsBack { get; private init; }

    /// <summary>Whether runs are recorded as CUDA graphs and replayed.</summary>
    public bool RecordsGraphs =>
        Kind is not (DeviceKind.Auto or DeviceKind.Cpu or DeviceKind.Custom) && ExecutionProvider.Of(Kind).RecordsGraphs(this);

    internal Action<SessionOptions>? Configure { get; private init; }

    /// <summary>An NVIDIA GPU, through CUDA.</summary>
    /// <param name="index">Which GPU, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index.</exception>
    public static Device Cuda(int index = 0) => Cuda(new CudaOptions { Index = index });

    /// <summary>An NVIDIA GPU, through CUDA.</summary>
    /// <param name="options">Which one, and how.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index, or a limit that is not positive.</exception>
    public static Device Cuda(CudaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(DeviceKind.Cuda, options.Index, CudaProvider.Settings(options), options.Library);
    }

    /// <summary>An NVIDIA GPU, through TensorRT, which compiles a model for the GPU at hand. Loading takes seconds to minutes.</summary>
    /// <param name="index">Which GPU, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index.</exception>
    public static Device TensorRt(int index = 0) => TensorRt(new TensorRtOptions { Index = index });

    /// <summary>An NVIDIA GPU, through TensorRT.</summary>
    /// <param name="options">Which one, and how.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index, or a limit that is not positive.</exception>
    public static Device TensorRt(TensorRtOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new(DeviceKind.TensorRt, options.Index, TensorRtProvider.Settings(options), options.Library);
    }

    /// <summary>A GPU on Windows, through DirectX 12.</summary>
    /// <param name="index">Which adapter, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index.</exception>
    public static Device DirectMl(int index = 0) => new(DeviceKind.DirectMl, index, DirectMlProvider.Options(index));

    /// <summary>Apple's GPU and neural engine. They compute in float16.</summary>
    /// <param name="computeUnits"><c>ALL</c>, <c>CPUAndGPU</c>, <c>CPUAndNeuralEngine</c> or <c>CPUOnly</c>.</param>
    /// <param name="options">More options by ONNX Runtime's names; they win over the others.</param>
    public static Device CoreMl(string computeUnits = "ALL", IReadOnlyDictionary<string, string>? options = null) =>
        new(DeviceKind.CoreMl, 0, CoreMlProvider.Options(computeUnits, options));

    /// <summary>Intel's hardware, through OpenVINO.</summary>
    /// <param name="hardware"><c>CPU</c>, <c>GPU</c>, <c>GPU.1</c>, <c>NPU</c>, <c>AUTO:GPU,CPU</c>, as OpenVINO calls it.</param>
    /// <param name="library">The provider library to register if ONNX Runtime has no OpenVINO inside.</param>
    /// <param name="options">More options by ONNX Runtime's names; they win over the others.</param>
    public static Device OpenVino(string hardware = "CPU", string? library = null, IReadOnlyDictionary<string, string>? options = null) =>
        new(DeviceKind.OpenVino, 0, OpenVinoProvider.Options(hardware, options), library);

    /// <summary>Any execution provider, by code of the caller's own.</summary>
    /// <param name="configure">Adds the provider to a session's options; called for each session that is opened.</param>
    public static Device Custom(Action<SessionOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return new Device(DeviceKind.Custom) { Configure = configure };
    }

    /// <summary>The same device, or the CPU if it cannot be had.</summary>
    public Device OrCpu() => this with { FallsBack = true };

    /// <summary>
    /// Reads <c>auto</c>, <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>, <c>tensorrt:1</c>, <c>directml:1</c>, <c>coreml</c>,
    /// <c>openvino:GPU</c> (in any case); with <c>,cpu</c> behind it, it falls back to the CPU.
    /// </summary>
    /// <exception cref="FormatException">Another text.</exception>
    public static Device Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.EndsWith(",cpu", StringComparison.OrdinalIgnoreCase)) return Parse(text[..^4]).OrCpu();
        if (text.Equals("auto", StringComparison.OrdinalIgnoreCase)) return Auto;
        if (text.Equals("cpu", StringComparison.OrdinalIgnoreCase)) return Cpu;
        var parts = text.Split(':', 2);
        var provider = ExecutionProvider.All.FirstOrDefault(provider => provider.Name.Equals(parts[0], StringComparison.OrdinalIgnoreCase));
        return provider?.Parse(parts.Length == 1 ? null : parts[1]) ?? throw new FormatException(
            $"'{text}' is not a device; use auto, cpu, {string.Join(", ", ExecutionProvider.All.Select(provider => provider.Usage))}.");
    }

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    /// <param name="text">The text.</param>
    /// <param name="result">The device; null where the text is none.</param>
    /// <returns>Whether the text is a device.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Device? result)
    {
        try
        {
            result = text is null ? null : Parse(text);
        }
        catch (FormatException)
        {
            result = null;
        }

        return result is not null;
    }

    /// <summary>The same kind, number, library and options.</summary>
    public bool Equals(Device? other) =>
        other is not null && Kind == other.Kind && Index == other.Index && Library == other.Library && FallsBack == other.FallsBack &&
        Configure == other.Configure && Options.SequenceEqual(other.Options);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Index, Library, FallsBack, Configure);

    /// <summary>The text that <see cref="Parse"/> reads; options and libraries are not in it.</summary>
    public override string ToString() => FallsBack ? $"{this with { FallsBack = false }},cpu" : Kind switch
    {
        DeviceKind.Auto or DeviceKind.Cpu or DeviceKind.Custom => Kind.ToString().ToLowerInvariant(),
        _ => ExecutionProvider.Of(Kind).Write(this),
    };
}

/// <summary>How models run on an NVIDIA GPU through CUDA.</summary>
public sealed record CudaOptions
{
    /// <summary>Which GPU, from 0. Default: 0.</summary>
    public int Index { get; init; }

    /// <summary>The most memory, in bytes, for the arena of one session. Default: null, all that there is.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>
    /// Records a run as a CUDA graph when its shapes come for the second time, and replays it from then on: one launch instead of one for
    /// each operator. Runs on such a device wait for each other. A model with an operator that CUDA does not have cannot be loaded this
    /// way. Default: false.
    /// </summary>
    public bool Graph { get; init; }

    /// <summary>
    /// Lets matrix products drop 13 bits of each factor, for speed. Default: false (ONNX Runtime's own is true), so that results are the
    /// CPU's.
    /// </summary>
    public bool TensorFloat32 { get; init; }

    /// <summary>
    /// The provider library to register if ONNX Runtime has no CUDA inside. Default: null, looked for beside the application.
    /// </summary>
    public string? Library { get; init; }

    /// <summary>More options by ONNX Runtime's names; they win over the others. Default: none.</summary>
    public IReadOnlyDictionary<string, string>? More { get; init; }
}

/// <summary>How models run on an NVIDIA GPU through TensorRT.</summary>
public sealed record TensorRtOptions
{
    /// <summary>Which GPU, from 0. Default: 0.</summary>
    public int Index { get; init; }

    /// <summary>Whether it may compute in float16. Default: false.</summary>
    public bool Half { get; init; }

    /// <summary>A folder where compiled models are kept for the next time. Default: null, nowhere.</summary>
    public string? EngineCache { get; init; }

    /// <summary>The most memory, in bytes, for compiling. Default: null, TensorRT's own choice.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>The provider library to register if ONNX Runtime has no TensorRT inside. Default: null, looked for.</summary>
    public string? Library { get; init; }

    /// <summary>More options by ONNX Runtime's names; they win over the others. Default: none.</summary>
    public IReadOnlyDictionary<string, string>? More { get; init; }
}

/// <summary>The kinds of device that a model can run on.</summary>
public enum DeviceKind
{
    /// <summary>The best one available.</summary>
    Auto,

    /// <summary>The CPU.</summary>
    Cpu,

    /// <summary>An NVIDIA GPU, through ONNX Runtime's CUDA provider.</summary>
    Cuda,

    /// <summary>An NVIDIA GPU, through TensorRT.</summary>
    TensorRt,

    /// <summary>Any GPU on Windows, through DirectX 12.</summary>
    DirectMl,

    /// <summary>Apple's GPU and neural engine.</summary>
    CoreMl,

    /// <summary>Intel's CPU, GPU or NPU, through OpenVINO.</summary>
    OpenVino,

    /// <summary>Whatever the caller's own code puts into the session options.</summary>
    Custom,
}

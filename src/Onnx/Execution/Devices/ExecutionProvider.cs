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

    protected static Dictionary<string, string> Merge(Dictionary<string, string> options, IReadOnlyDictionary<string, string>? more)
    {
        foreach (var (name, value) in more ?? new Dictionary<string, string>()) options[name] = value;
        return options;
    }
}

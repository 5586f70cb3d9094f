using System.Globalization;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Where a model runs. An explicit device is strict: when it cannot be had, loading fails and says what was tried. <see cref="Auto"/> takes
/// the best one available, and <see cref="OnnxSession.ActualDevice"/> says which that was.
/// </summary>
public sealed record Device
{
    private Device(DeviceKind kind, int index)
    {
        Kind = kind;
        Index = index;
    }

    /// <summary>A CUDA GPU if ONNX Runtime has the provider and a GPU answers, the CPU otherwise.</summary>
    public static Device Auto { get; } = new(DeviceKind.Auto, 0);

    /// <summary>The CPU.</summary>
    public static Device Cpu { get; } = new(DeviceKind.Cpu, 0);

    /// <summary>The kind of device.</summary>
    public DeviceKind Kind { get; }

    /// <summary>Which of several devices of the kind, from 0.</summary>
    public int Index { get; }

    /// <summary>An NVIDIA GPU.</summary>
    /// <param name="index">Which GPU, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative index.</exception>
    public static Device Cuda(int index = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new Device(DeviceKind.Cuda, index);
    }

    /// <summary>Reads <c>auto</c>, <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c> (in any case).</summary>
    /// <exception cref="FormatException">Another text.</exception>
    public static Device Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(':', 2);
        if (Is("auto") && parts.Length == 1) return Auto;
        if (Is("cpu") && parts.Length == 1) return Cpu;
        if (Is("cuda") && parts.Length == 1) return Cuda();
        if (Is("cuda") && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return Cuda(index);
        throw new FormatException($"'{text}' is not a device; use auto, cpu, cuda or cuda:N.");

        bool Is(string name) => parts[0].Equals(name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => Kind switch
    {
        DeviceKind.Auto => "auto",
        DeviceKind.Cpu => "cpu",
        _ => string.Create(CultureInfo.InvariantCulture, $"cuda:{Index}"),
    };
}

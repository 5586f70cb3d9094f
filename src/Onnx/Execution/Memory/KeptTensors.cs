using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// The tensors on the device that a bound run reads and writes, and their counterparts on the host. They stay at their place, as replaying
/// a CUDA graph needs it.
/// </summary>
internal sealed class KeptTensors : IDisposable
{
    private readonly Dictionary<string, (OrtValue Host, OrtValue Device)> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (OrtValue Host, OrtValue Device)> _outputs = new(StringComparer.Ordinal);
    private Batch[]? _in;
    private Batch[]? _out;

    /// <summary>Copies a tensor to the device before each run; null = no longer.</summary>
    public void Input(string name, OrtValue host, OrtValue? device) => Set(_inputs, name, host, device);

    /// <summary>Copies a tensor from the device after each run; null = no longer.</summary>
    public void Output(string name, OrtValue host, OrtValue? device) => Set(_outputs, name, host, device);

    public void CopyIn()
    {
        foreach (var batch in _in ??= Batches(_inputs.Values)) DeviceMemory.Copy(batch.Hosts, batch.Devices);
    }

    public void CopyOut()
    {
        foreach (var batch in _out ??= Batches(_outputs.Values)) DeviceMemory.Copy(batch.Devices, batch.Hosts);
    }

    public void Dispose()
    {
        foreach (var (_, device) in _inputs.Values.Concat(_outputs.Values)) device.Dispose();
    }

    // ONNX Runtime copies several tensors at once only where all come from one memory and go to one.
    private static Batch[] Batches(IEnumerable<(OrtValue Host, OrtValue Device)> pairs) =>
    [
        .. pairs
            .GroupBy(pair => (Place(pair.Host), Place(pair.Device)))
            .Select(batch => new Batch([.. batch.Select(pair => pair.Host)], [.. batch.Select(pair => pair.Device)])),
    ];

    private static (string, int, OrtAllocatorType, OrtDeviceMemoryType) Place(OrtValue value)
    {
        var place = value.GetTensorMemoryInfo();
        return (place.Name, place.Id, place.GetAllocatorType(), place.GetDeviceMemoryType());
    }

    private void Set(Dictionary<string, (OrtValue Host, OrtValue Device)> pairs, string name, OrtValue host, OrtValue? device)
    {
        if (pairs.Remove(name, out var former)) former.Device.Dispose();
        if (device is not null) pairs.Add(name, (host, device));
        _in = _out = null;
    }

    private sealed record Batch(OrtValue[] Hosts, OrtValue[] Devices);
}

using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>The outputs of a run, where the device left them: they can go into the next run without a way through the host.</summary>
internal sealed class DeviceTensors : IDisposable
{
    private readonly Dictionary<string, OrtValue> _values;

    private readonly OnnxSession _session;

    internal DeviceTensors(OnnxSession session, IEnumerable<string> names, IEnumerable<OrtValue> values)
    {
        _session = session;
        _values = names.Zip(values).ToDictionary(output => output.First, output => output.Second, StringComparer.Ordinal);
    }

    /// <summary>The names of the outputs.</summary>
    public IReadOnlyCollection<string> Names => _values.Keys;

    /// <summary>An output; it lives as long as this object.</summary>
    /// <exception cref="KeyNotFoundException">There is no such output.</exception>
    public OrtValue this[string name] => _values[name];

    /// <summary>Copies an output to the host.</summary>
    /// <param name="name">The output's name.</param>
    /// <exception cref="KeyNotFoundException">There is no such output.</exception>
    /// <exception cref="ModelRunException">The device failed.</exception>
    public HostTensor ToHost(string name) => _session.ToHost(name, _values[name]);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var value in _values.Values) value.Dispose();
    }
}

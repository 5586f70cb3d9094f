using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// A model with all its inputs and outputs tied to buffers: <see cref="Run"/> reads and writes them in place and allocates nothing.
/// One thread at a time; many may exist for one session.
/// </summary>
public sealed class BoundRun : IDisposable
{
    private readonly OnnxSession _session;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _options = new();
    private readonly SortedDictionary<string, string> _inputs = new(StringComparer.Ordinal);

    // The buffers must outlive the binding, which holds only native pointers.
    private readonly List<object> _buffers = [];

    internal BoundRun(OnnxSession session, OrtIoBinding binding)
    {
        _session = session;
        _binding = binding;
    }

    /// <summary>Ties an input to a buffer.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="buffer">The buffer that is read.</param>
    /// <param name="rows">How many entries along the first axis to read; null = all.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindInput<T>(string name, TensorBuffer<T> buffer, int? rows = null)
        where T : unmanaged
    {
        _session.RequireInput(name);
        _binding.BindInput(name, rows is { } count ? buffer.View(count) : buffer.Value);
        _inputs[name] = Describe(buffer, rows);
        _buffers.Add(buffer);
    }

    /// <summary>Ties an output to a buffer.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="buffer">The buffer that is written.</param>
    /// <param name="rows">How many entries along the first axis are written; null = all.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindOutput<T>(string name, TensorBuffer<T> buffer, int? rows = null)
        where T : unmanaged
    {
        _session.RequireOutput(name);
        _binding.BindOutput(name, rows is { } count ? buffer.View(count) : buffer.Value);
        _buffers.Add(buffer);
    }

    /// <summary>Runs the model once.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed; the message says where and on which shapes.</exception>
    public void Run()
    {
        try
        {
            _session.Native.RunWithBinding(_options, _binding);
        }
        catch (OnnxRuntimeException exception)
        {
            throw _session.Failure(exception, _inputs.Select(input => $"{input.Key} {input.Value}"));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _binding.Dispose();
        _options.Dispose();
        _buffers.Clear();
    }

    private static string Describe<T>(TensorBuffer<T> buffer, int? rows)
        where T : unmanaged =>
        $"[{string.Join(", ", buffer.Shape.Select((size, axis) => axis == 0 ? rows ?? size : size))}]";
}

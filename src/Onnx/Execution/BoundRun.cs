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

    // The binding holds only native pointers: these keep the memory alive as long as it may be read.
    private readonly List<object> _buffers = [];
    private readonly List<OrtValue> _values = [];

    internal BoundRun(OnnxSession session, OrtIoBinding binding)
    {
        _session = session;
        _binding = binding;
    }

    /// <summary>Ties an input to a buffer or a part of one.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="view">The memory that is read.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindInput<T>(string name, TensorView<T> view)
        where T : unmanaged
    {
        _session.RequireInput(name);
        _binding.BindInput(name, Own(view));
        _inputs[name] = $"[{string.Join(", ", view.Shape)}]";
    }

    /// <summary>Ties an output to a buffer or a part of one.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="view">The memory that is written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindOutput<T>(string name, TensorView<T> view)
        where T : unmanaged
    {
        _session.RequireOutput(name);
        _binding.BindOutput(name, Own(view));
    }

    /// <summary>Ties an input to texts.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="texts">The texts that are read.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindTextInput(string name, TextBuffer texts)
    {
        _session.RequireInput(name);
        _binding.BindInput(name, texts.Value);
        _buffers.Add(texts);
        _inputs[name] = $"[{string.Join(", ", texts.Shape)}]";
    }

    /// <summary>Ties an output to texts.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="texts">The texts that are written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindTextOutput(string name, TextBuffer texts)
    {
        _session.RequireOutput(name);
        _binding.BindOutput(name, texts.Value);
        _buffers.Add(texts);
    }

    /// <summary>Runs the model once.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed; the message says where and on which shapes.</exception>
    /// <exception cref="ObjectDisposedException">The model has been released.</exception>
    public void Run()
    {
        _session.RequireOpen();
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
        foreach (var value in _values) value.Dispose();
        _values.Clear();
        _buffers.Clear();
    }

    private OrtValue Own<T>(TensorView<T> view)
        where T : unmanaged
    {
        var value = view.Buffer.ToOrtValue(view);
        _values.Add(value);
        _buffers.Add(view.Buffer);
        return value;
    }
}

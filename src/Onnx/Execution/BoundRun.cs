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
    private readonly SortedDictionary<string, (OrtValue Value, string Shape)> _inputs = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, OrtValue> _outputs = new(StringComparer.Ordinal);

    // The binding holds only native pointers: these keep the memory alive as long as it may be read.
    private readonly List<object> _buffers = [];
    private bool _disposed;

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
        _buffers.Add(view.Buffer);
        BindInput(name, view.Buffer.ToOrtValue(view), view.Shape);
    }

    /// <summary>Ties an output to a buffer or a part of one.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="view">The memory that is written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindOutput<T>(string name, TensorView<T> view)
        where T : unmanaged
    {
        _session.RequireOutput(name);
        _buffers.Add(view.Buffer);
        BindOutput(name, view.Buffer.ToOrtValue(view));
    }

    /// <summary>Ties an input to texts.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="texts">The texts that are read.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindTextInput(string name, TextBuffer texts)
    {
        _session.RequireInput(name);
        BindInput(name, texts.Value, [.. texts.Shape]);
        _buffers.Add(texts);
    }

    /// <summary>Ties an output to texts.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="texts">The texts that are written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindTextOutput(string name, TextBuffer texts)
    {
        _session.RequireOutput(name);
        BindOutput(name, texts.Value);
        _buffers.Add(texts);
    }

    /// <summary>Runs the model once.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed; the message says where and on which shapes.</exception>
    /// <exception cref="ObjectDisposedException">The model has been released.</exception>
    public void Run()
    {
        try
        {
            if (_session.ReadsHostMemory) _session.Native.RunWithBinding(_options, _binding);
            else RunWithCopies();
        }
        catch (OnnxRuntimeException exception)
        {
            throw _session.Failure(exception, _inputs.Select(input => $"{input.Key} {input.Value.Shape}"));
        }

        // ONNX Runtime is given bare handles: nobody may finalize them meanwhile.
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _binding.Dispose();
        _options.Dispose();
        foreach (var (value, _) in _inputs.Values) value.Dispose();
        foreach (var value in _outputs.Values) value.Dispose();
        _buffers.Clear();
        _session.RemoveUser();
    }

    // The caller keeps the memory in place while the model runs. Owns the value.
    internal void BindInput(string name, OrtValue value, long[] shape)
    {
        if (_session.ReadsHostMemory) _binding.BindInput(name, value);
        if (_inputs.Remove(name, out var former)) former.Value.Dispose();
        _inputs.Add(name, (value, $"[{string.Join(", ", shape)}]"));
    }

    internal void BindOutput(string name, OrtValue value)
    {
        _binding.BindOutput(name, value);
        if (_outputs.Remove(name, out var former)) former.Dispose();
        _outputs.Add(name, value);
    }

    // For devices with a memory of their own: the inputs go there and the outputs come back at each run.
    private void RunWithCopies() => _session.Native.Run(
        _options, _inputs.Keys, [.. _inputs.Values.Select(input => input.Value)], _outputs.Keys, _outputs.Values);
}

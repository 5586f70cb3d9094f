using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Memory;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// A model with all its inputs and outputs tied to buffers: <see cref="Run"/> reads and writes them, in place where the model runs in the
/// host's memory. On a device with a memory of its own, tensors are kept there (<see cref="OnnxSession.Memory"/>) and a run copies from and
/// to the buffers; tensors that were made there (<see cref="OnnxSession.AllocateInput"/>) are read and written in place as well.
/// One thread at a time; many may exist for one session.
/// </summary>
internal sealed class BoundRun : IDisposable
{
    private readonly OnnxSession _session;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _options;
    private readonly KeptTensors? _kept;
    private readonly GraphReplay? _graph;
    private readonly SortedDictionary<string, BoundTensor> _inputs = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, BoundTensor> _outputs = new(StringComparer.Ordinal);
    private bool _disposed;

    internal BoundRun(OnnxSession session, OrtIoBinding binding)
    {
        _session = session;
        _binding = binding;
        _options = session.NewRunOptions();
        _kept = session.KeepTensors();
        if (session.Memory.ReplaysGraphs) _graph = new GraphReplay();
    }

    /// <summary>Ties an input to a buffer or a part of one.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="view">The memory that is read.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    /// <exception cref="ModelRunException">The device has no room for it.</exception>
    public void BindInput<T>(string name, TensorView<T> view)
        where T : unmanaged
    {
        _session.RequireInput(name);
        BindInput(name, view.Buffer.ToOrtValue(view), view.Shape, view.Buffer);
    }

    /// <summary>Ties an output to a buffer or a part of one.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="view">The memory that is written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    /// <exception cref="ModelRunException">The device has no room for it.</exception>
    public void BindOutput<T>(string name, TensorView<T> view)
        where T : unmanaged
    {
        _session.RequireOutput(name);
        BindOutput(name, view.Buffer.ToOrtValue(view), view.Shape, view.Buffer);
    }

    /// <summary>Ties an input to texts.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="texts">The texts that are read.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindTextInput(string name, TextBuffer texts)
    {
        _session.RequireInput(name);
        Bind(_inputs, name, new BoundTensor(texts.Value, [.. texts.Shape], texts, OnDevice: false, IsOwned: false));
    }

    /// <summary>Ties an output to texts.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="texts">The texts that are written.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindTextOutput(string name, TextBuffer texts)
    {
        _session.RequireOutput(name);
        Bind(_outputs, name, new BoundTensor(texts.Value, [.. texts.Shape], texts, OnDevice: false, IsOwned: false));
    }

    /// <summary>Ties an input to a tensor where the model reads it: nothing is copied.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="tensor">From <see cref="OnnxSession.AllocateInput"/>, or another model's output on the same device.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindInput(string name, DeviceTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _session.RequireInput(name);
        Bind(_inputs, name, new BoundTensor(tensor.Value, [.. tensor.Shape], tensor, OnDevice: true, IsOwned: false));
    }

    /// <summary>Ties an output to a tensor where the model writes it: nothing is copied.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="tensor">From <see cref="OnnxSession.AllocateOutput"/>.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindOutput(string name, DeviceTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _session.RequireOutput(name);
        Bind(_outputs, name, new BoundTensor(tensor.Value, [.. tensor.Shape], tensor, OnDevice: true, IsOwned: false));
    }

    /// <summary>Ties an input to a tensor of ONNX Runtime's, wherever it lies.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="value">The tensor; the caller's own, who keeps it until this is disposed. On the host, it is read at every run.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public void BindInput(string name, OrtValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _session.RequireInput(name);
        Bind(_inputs, name, Foreign(value));
    }

    /// <summary>Ties an output to a tensor of ONNX Runtime's, wherever it lies.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="value">The tensor; the caller's own, who keeps it until this is disposed.</param>
    /// <exception cref="ArgumentException">The model has no such output.</exception>
    public void BindOutput(string name, OrtValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _session.RequireOutput(name);
        Bind(_outputs, name, Foreign(value));
    }

    /// <summary>Runs the model once.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed; the message says where and on which shapes.</exception>
    /// <exception cref="ObjectDisposedException">The model has been released.</exception>
    public void Run()
    {
        try
        {
            // The one place in which a device with a memory of its own differs.
            if (_session.Gate is { } gate) RunGated(gate);
            else if (_kept is not null) RunOnKept(_kept, _options);
            else if (_session.ReadsHostMemory) _session.Native.RunWithBinding(_options, _binding);
            else RunWithCopies();
        }
        catch (OnnxRuntimeException exception)
        {
            throw _session.Failure(exception, Shapes());
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
        _kept?.Dispose();
        _graph?.Dispose();
        foreach (var tensor in _inputs.Values.Concat(_outputs.Values).Where(tensor => tensor.IsOwned)) tensor.Value.Dispose();
        _inputs.Clear();
        _outputs.Clear();
        _session.RemoveUser();
    }

    // The caller keeps the memory in place while the model runs. Owns the value.
    internal void BindInput(string name, OrtValue value, long[] shape, object? memory = null) =>
        Bind(_inputs, name, new BoundTensor(value, shape, memory, OnDevice: false, IsOwned: true));

    internal void BindOutput(string name, OrtValue value, long[] shape, object? memory = null) =>
        Bind(_outputs, name, new BoundTensor(value, shape, memory, OnDevice: false, IsOwned: true));

    private void Bind(SortedDictionary<string, BoundTensor> tensors, string name, BoundTensor tensor)
    {
        var isInput = tensors == _inputs;
        if (tensors.Remove(name, out var former) && former.IsOwned && former.Value != tensor.Value) former.Value.Dispose();
        tensors.Add(name, tensor);
        _graph?.Forget();
        try
        {
            var device = tensor.OnDevice ? null : _session.AllocateOnDevice(name, tensor.Value, tensor.Shape);
            if (isInput) _kept?.Input(name, tensor.Value, device);
            else _kept?.Output(name, tensor.Value, device);
            if (!isInput) _binding.BindOutput(name, device ?? tensor.Value);
            else if (_kept is not null || _session.ReadsHostMemory) _binding.BindInput(name, device ?? tensor.Value);
        }
        catch (OnnxRuntimeException exception)
        {
            throw _session.Failure(exception, Shapes());
        }
    }

    private static BoundTensor Foreign(OrtValue value)
    {
        var place = value.GetTensorMemoryInfo();
        var onDevice = place.Name != OrtMemoryInfo.DefaultInstance.Name && place.GetDeviceMemoryType() == OrtDeviceMemoryType.DEFAULT;
        return new BoundTensor(value, value.GetTensorTypeAndShape().Shape, null, onDevice, IsOwned: false);
    }

    private void RunGated(Lock gate)
    {
        lock (gate)
        {
            if (_kept is null) RunWithCopies();
            else RunOnKept(_kept, _graph is null ? _options : _graph.Next());
        }
    }

    private void RunOnKept(KeptTensors kept, RunOptions options)
    {
        kept.CopyIn();
        _session.Native.RunWithBinding(options, _binding);
        kept.CopyOut();
    }

    // For devices that only ONNX Runtime copies to: the inputs go there and the outputs come back at each run.
    private void RunWithCopies() => _session.Native.Run(
        _options, _inputs.Keys, [.. _inputs.Values.Select(input => input.Value)], _outputs.Keys, [.. _outputs.Values.Select(output => output.Value)]);

    private IEnumerable<string> Shapes() => _inputs.Select(input => $"{input.Key} [{string.Join(", ", input.Value.Shape)}]");
}

using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Memory;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>
/// A model with all its inputs and outputs tied to buffers: <see cref="Run"/> reads and writes them, in place where the model runs in the
/// host's memory. On a device with a memory of its own, tensors are kept there (<see cref="OnnxSession.Memory"/>) and a run copies from and
/// to the buffers; tensors that were made there (<see cref="OnnxSession.AllocateInput"/>) are read and written in place as well.
/// One thread at a time; many may exist for one session.
/// </summary>
/// <remarks>Binding throws an <see cref="ArgumentException"/> where the model has no tensor of that name.</remarks>
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

    public BoundRun(OnnxSession session, OrtIoBinding binding)
    {
        _session = session;
        _binding = binding;
        _options = session.NewRunOptions();
        _kept = session.KeepTensors();
        if (session.Memory.ReplaysGraphs) _graph = new GraphReplay();
    }

    /// <summary>Ties an input to a buffer or a part of one.</summary>
    public void BindInput<T>(string name, TensorView<T> view)
        where T : unmanaged => Bind(_inputs, _session.RequireInput(name).Name, BoundTensor.Of(view));

    /// <summary>Ties an output to a buffer or a part of one.</summary>
    public void BindOutput<T>(string name, TensorView<T> view)
        where T : unmanaged => Bind(_outputs, _session.RequireOutput(name).Name, BoundTensor.Of(view));

    /// <summary>Ties an input to texts.</summary>
    public void BindInput(string name, TextBuffer texts) => Bind(_inputs, _session.RequireInput(name).Name, BoundTensor.Of(texts));

    /// <summary>Ties an output to texts.</summary>
    public void BindOutput(string name, TextBuffer texts) => Bind(_outputs, _session.RequireOutput(name).Name, BoundTensor.Of(texts));

    /// <summary>Ties an input to a tensor where the model reads it, or to another model's output there: nothing is copied.</summary>
    public void BindInput(string name, DeviceTensor tensor) => Bind(_inputs, _session.RequireInput(name).Name, BoundTensor.Of(tensor));

    /// <summary>Ties an output to a tensor where the model writes it: nothing is copied.</summary>
    public void BindOutput(string name, DeviceTensor tensor) => Bind(_outputs, _session.RequireOutput(name).Name, BoundTensor.Of(tensor));

    /// <summary>Ties an input to memory that the caller keeps in place while the model runs. Owns the value.</summary>
    public void BindInput(string name, OrtValue value, long[] shape) =>
        Bind(_inputs, name, new(value, shape, Memory: null, OnDevice: false, IsOwned: true));

    /// <summary>Ties an output to memory that the caller keeps in place while the model runs. Owns the value.</summary>
    public void BindOutput(string name, OrtValue value, long[] shape) =>
        Bind(_outputs, name, new(value, shape, Memory: null, OnDevice: false, IsOwned: true));

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
        _options,
        _inputs.Keys,
        [.. _inputs.Values.Select(input => input.Value)],
        _outputs.Keys,
        [.. _outputs.Values.Select(output => output.Value)]);

    private IEnumerable<string> Shapes() => _inputs.Select(input => $"{input.Key} [{string.Join(", ", input.Value.Shape)}]");

    /// <summary>What an input or output is tied to.</summary>
    /// <param name="Value">The tensor.</param>
    /// <param name="Shape">Its shape.</param>
    /// <param name="Memory">What must not be collected as long as the tensor may be read: native code holds bare pointers.</param>
    /// <param name="OnDevice">Whether it lies where the model reads or writes it.</param>
    /// <param name="IsOwned">Whether the run disposes it.</param>
    private sealed record BoundTensor(OrtValue Value, long[] Shape, object? Memory, bool OnDevice, bool IsOwned)
    {
        public static BoundTensor Of<T>(TensorView<T> view)
            where T : unmanaged => new(view.Buffer.ToOrtValue(view), view.Shape, view.Buffer, OnDevice: false, IsOwned: true);

        public static BoundTensor Of(TextBuffer texts) => new(texts.Value, [.. texts.Shape], texts, OnDevice: false, IsOwned: false);

        public static BoundTensor Of(DeviceTensor tensor) => new(tensor.Value, [.. tensor.Shape], tensor, OnDevice: true, IsOwned: false);
    }
}

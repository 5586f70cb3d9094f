using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Operators;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm;

/// <summary>
/// A model loaded into ONNX Runtime, ready to run. Safe for many threads; each brings its own bound run. Disposing it while
/// runs are under way is safe as well: the native session goes when the last of them is done with it.
/// </summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly string _name;
    private readonly DeviceMemory? _memory;
    private readonly bool _recordsGraphs;

    // The owner, each bound run, and each run under way.
    private int _users = 1;
    private int _disposed;

    internal OnnxSession(InferenceSession native, string name, DeviceReport device)
    {
        Native = native;
        _name = name;
        DeviceReport = device;
        _memory = DeviceMemory.Of(native, device.Actual);
        Memory = _memory?.Report ?? new MemoryReport(TensorRoute.InPlace);
        _recordsGraphs = device.Actual.RecordsGraphs;
        Inputs = [.. native.InputNames.Select(input => Describe(input, native.InputMetadata[input]))];
        Outputs = [.. native.OutputNames.Select(output => Describe(output, native.OutputMetadata[output]))];
        Metadata = native.ModelMetadata.CustomMetadataMap;
    }

    /// <summary>The device in use; never <see cref="Device.Auto"/>.</summary>
    public Device Device => DeviceReport.Actual;

    /// <summary>Which device was asked for, which is in use, and what was tried on the way.</summary>
    public DeviceReport DeviceReport { get; }

    /// <summary>How tensors get to the model on its device.</summary>
    public MemoryReport Memory { get; }

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<TensorInfo> Inputs { get; }

    /// <summary>The outputs, in the model's order.</summary>
    public IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Faults of ONNX Runtime that the model would meet, and that are switched off.</summary>
    public IReadOnlyList<AvoidedFault> Avoided { get; init; } = [];

    /// <summary>The operators of our own that the native session points to.</summary>
    internal OperatorDomain? Operators { get; init; }

    internal InferenceSession Native { get; }

    /// <summary>
    /// Whether a bound input is read from the host's memory at every run. Where the device has a memory of its own, binding an input copies
    /// it there once, and what is written to the buffer later is never seen.
    /// </summary>
    internal bool ReadsHostMemory => Memory.Route == TensorRoute.InPlace;

    /// <summary>Where runs of this session wait for all others; null = nowhere.</summary>
    internal Lock? Gate => _recordsGraphs ? GraphReplay.Gate : null;

    /// <summary>Loads a model from a file; external data is found beside it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxSession Load(string path, ExecutionOptions? options = null)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'.", path);
        return SessionLoader.Load(new StoredModel(path, null), options ?? new());
    }

    /// <summary>Loads a model from memory.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxSession Load(byte[] model, ExecutionOptions? options = null) =>
        SessionLoader.Load(new StoredModel(null, model), options ?? new());

    /// <summary>Loads a model that was just built.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing or cannot be used.</exception>
    public static OnnxSession Load(ModelProto model, ExecutionOptions? options = null) => Load(model.ToByteArray(), options);

    /// <summary>Prepares a run with buffers of the caller's; bind every input and output before running it.</summary>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    internal BoundRun CreateBoundRun()
    {
        AddUser();
        try
        {
            return new BoundRun(this, Native.CreateIoBinding());
        }
        catch
        {
            RemoveUser();
            throw;
        }
    }

    /// <summary>Makes a buffer on the host, page-locked where the device copies faster from such memory.</summary>
    /// <typeparam name="T">The element type, as in <see cref="TensorBuffer{T}"/>.</typeparam>
    /// <param name="shape">The shape; empty for a scalar.</param>
    public TensorBuffer<T> CreateBuffer<T>(params long[] shape)
        where T : unmanaged => new(_memory?.Pinned, shape);

    /// <summary>Makes a tensor where the model reads an input: in the device's memory, if it has one of its own.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="shape">The shape, with a number for each dimension.</param>
    /// <exception cref="ArgumentException">The model has no such input, or it is no tensor of numbers.</exception>
    /// <exception cref="ModelRunException">The device has no room for it.</exception>
    public DeviceTensor AllocateInput(string name, params long[] shape) => Allocate(RequireInput(name), shape);

    /// <summary>Makes a tensor where the model writes an output.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="shape">The shape, with a number for each dimension.</param>
    /// <exception cref="ArgumentException">The model has no such output, or it is no tensor of numbers.</exception>
    /// <exception cref="ModelRunException">The device has no room for it.</exception>
    public DeviceTensor AllocateOutput(string name, params long[] shape) => Allocate(RequireOutput(name), shape);

    /// <summary>Runs the model on tensors in managed memory and returns all outputs. Convenient, not fast.</summary>
    /// <param name="inputs">A tensor for each input, by name.</param>
    /// <exception cref="ArgumentException">An input that the model does not have.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public IReadOnlyDictionary<string, HostTensor> Run(IReadOnlyDictionary<string, HostTensor> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        AddUser();
        var values = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
        try
        {
            foreach (var (input, tensor) in inputs)
            {
                RequireInput(input);
                values.Add(input, HostTensorConversion.ToOrtValue(tensor));
            }

            using var options = NewRunOptions();
            using var results = Alone(() => Native.Run(options, values, Native.OutputNames));
            return results
                .Select((result, index) => (Name: Native.OutputNames[index], Tensor: HostTensorConversion.FromOrtValue(result)))
                .ToDictionary(output => output.Name, output => output.Tensor, StringComparer.Ordinal);
        }
        catch (OnnxRuntimeException exception)
        {
            throw Failure(exception, inputs.Select(input => $"{input.Key} [{string.Join(", ", input.Value.Shape)}]"));
        }
        finally
        {
            foreach (var value in values.Values) value.Dispose();
            RemoveUser();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) RemoveUser();
    }

    // The native session must not go while someone is in it; who comes later is told so.
    internal void AddUser()
    {
        for (var users = Volatile.Read(ref _users); ; users = Volatile.Read(ref _users))
        {
            ObjectDisposedException.ThrowIf(users == 0 || Volatile.Read(ref _disposed) != 0, this);
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users) return;
        }
    }

    internal void RemoveUser()
    {
        if (Interlocked.Decrement(ref _users) != 0) return;
        _memory?.Dispose();
        Native.Dispose();
    }

    /// <summary>Ends what <see cref="ExecutionOptions.ProfilePrefix"/> began and returns the file.</summary>
    internal string EndProfiling() => Native.EndProfiling();

    internal TensorInfo RequireInput(string name) => Require(name, Inputs, "input");

    internal TensorInfo RequireOutput(string name) => Require(name, Outputs, "output");

    /// <summary>Options of a run that is never recorded as a CUDA graph.</summary>
    internal RunOptions NewRunOptions() => _recordsGraphs ? GraphReplay.Unrecorded() : new RunOptions();

    /// <summary>Does something on the device while no run is recorded.</summary>
    internal T Alone<T>(Func<T> action)
    {
        if (Gate is not { } gate) return action();
        lock (gate) return action();
    }

    /// <summary>What keeps a bound run's tensors on the device; null where they are not kept there.</summary>
    internal KeptTensors? KeepTensors() => Memory.Route == TensorRoute.Kept ? new KeptTensors() : null;

    /// <summary>A tensor in the device's memory for an input or output; null where that lies on the host.</summary>
    internal OrtValue? AllocateOnDevice(string name, OrtValue like, long[] shape) =>
        _memory is null ? null : Alone(() => _memory.Allocate(name, like.GetTensorTypeAndShape().ElementDataType, shape));

    internal ModelRunException Failure(OnnxRuntimeException exception, IEnumerable<string> inputs) =>
        new($"Running {_name} failed on the inputs {string.Join("; ", inputs)}: {RuntimeMessage.OneLine(exception)}", exception);

    /// <summary>Copies tensors between the host and the device.</summary>
    internal void CopyTensors(object what, OrtValue[] from, OrtValue[] to)
    {
        try
        {
            if (Gate is not { } gate) DeviceMemory.Copy(from, to);
            else
            {
                lock (gate) DeviceMemory.Copy(from, to);
            }
        }
        catch (OnnxRuntimeException exception)
        {
            throw new ModelRunException($"Copying {what} failed: {RuntimeMessage.OneLine(exception)}", exception);
        }
    }

    private static TensorInfo Describe(string name, NodeMetadata metadata)
    {
        if (!metadata.IsTensor) return new TensorInfo(name, DataType.Undefined, []);
        var shape = metadata.Dimensions.Select((size, axis) =>
            size >= 0 ? size
            : metadata.SymbolicDimensions[axis] is { Length: > 0 } symbol ? symbol
            : TensorDimension.Unknown);
        return new TensorInfo(name, (DataType)(int)metadata.ElementDataType, [.. shape]);
    }

    private DeviceTensor Allocate(TensorInfo tensor, long[] shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        AddUser();
        try
        {
            var value = _memory is null ? null : Alone(() => _memory.Allocate(tensor.Name, (TensorElementType)(int)tensor.Type, shape));
            if (value is not null) return new DeviceTensor(this, tensor.Name, tensor.Type, shape, value, null);
            var (memory, onHost) = HostTensorConversion.Allocate(this, tensor, shape);
            return new DeviceTensor(this, tensor.Name, tensor.Type, shape, onHost, memory);
        }
        catch (OnnxRuntimeException exception)
        {
            throw Failure(exception, [$"{tensor.Name} [{string.Join(", ", shape)}]"]);
        }
        finally
        {
            RemoveUser();
        }
    }

    private TensorInfo Require(string name, IReadOnlyList<TensorInfo> declared, string kind)
    {
        foreach (var tensor in declared)
            if (tensor.Name == name) return tensor;
        throw new ArgumentException(
            $"{_name} has no {kind} '{name}'; its {kind}s are {string.Join(", ", declared.Select(tensor => tensor.Name))}.", nameof(name));
    }
}

/// <summary>
/// ONNX Runtime failed while running a model. The message is one line: the model, the node if ONNX Runtime named it, the shapes of the
/// inputs, and its own words; the original is the inner exception.
/// </summary>
public sealed class ModelRunException : Exception
{
    /// <summary>Creates the exception.</summary>
    public ModelRunException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// A model loaded into ONNX Runtime, ready to run. Safe for many threads; each brings its own <see cref="BoundRun"/>. Disposing it while runs
/// are under way is safe as well: the native session goes when the last of them is done with it.
/// </summary>
public sealed class OnnxSession : IDisposable
{
    // Left alone, ONNX Runtime's threads spin for some 50 ms after a run, and take the cores from whoever is next. Known from version 1.26 on.
    private const string SpinMicroseconds = "1000";

    private readonly string _name;

    // The owner, each bound run, and each run under way.
    private int _users = 1;
    private int _disposed;

    private OnnxSession(InferenceSession native, string name, DeviceReport device, SessionSettings settings)
    {
        Native = native;
        _name = name;
        DeviceReport = device;
        Inputs = [.. native.InputNames.Select(input => Describe(input, native.InputMetadata[input]))];
        Outputs = [.. native.OutputNames.Select(output => Describe(output, native.OutputMetadata[output]))];
        Metadata = native.ModelMetadata.CustomMetadataMap;
        ReadsHostMemory = !settings.CopyInputs && (ActualDevice.Kind == DeviceKind.Cpu || InputsLieOnTheHost(native));
    }

    /// <summary>The device in use; never <see cref="Device.Auto"/>.</summary>
    public Device ActualDevice => DeviceReport.Actual;

    /// <summary>Which device was asked for, which is in use, and what was tried on the way.</summary>
    public DeviceReport DeviceReport { get; }

    /// <summary>The inputs, in the model's order.</summary>
    public IReadOnlyList<TensorInfo> Inputs { get; }

    /// <summary>The outputs, in the model's order.</summary>
    public IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>The metadata of the model.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    internal InferenceSession Native { get; }

    /// <summary>
    /// Whether a bound input is read from the host's memory at every run. Where the device has a memory of its own, binding an input copies
    /// it there once, and what is written to the buffer later is never seen.
    /// </summary>
    internal bool ReadsHostMemory { get; }

    /// <summary>Loads a model from a file; external data is found beside it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static OnnxSession Load(string path, SessionSettings? settings = null)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'.", path);
        return Load(options => new InferenceSession(path, options), settings ?? new(), $"'{path}'");
    }

    /// <summary>Loads a model from memory.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static OnnxSession Load(byte[] model, SessionSettings? settings = null) =>
        Load(options => new InferenceSession(model, options), settings ?? new(), "the model");

    /// <summary>Loads a model that was just built.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="DeviceNotAvailableException">The device cannot be used.</exception>
    public static OnnxSession Load(ModelProto model, SessionSettings? settings = null) => Load(model.ToByteArray(), settings);

    /// <summary>Prepares a run with buffers of the caller's; bind every input and output before running it.</summary>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public BoundRun CreateBoundRun()
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

            using var options = new RunOptions();
            using var results = Native.Run(options, values, Native.OutputNames);
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

    /// <summary>
    /// Runs the model on tensors wherever they lie and leaves its outputs on the device: for models that feed each other, or one that feeds
    /// itself. What lies on the host is copied to the device first.
    /// </summary>
    /// <param name="inputs">A tensor for each input, by name; the caller's own.</param>
    /// <returns>All outputs; the caller disposes them.</returns>
    /// <exception cref="ArgumentException">An input that the model does not have.</exception>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public DeviceTensors RunOnDevice(IReadOnlyDictionary<string, OrtValue> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        AddUser();
        try
        {
            using var binding = Native.CreateIoBinding();
            using var options = new RunOptions();
            foreach (var (input, value) in inputs)
            {
                RequireInput(input);
                binding.BindInput(input, value);
            }

            using var places = Native.GetMemoryInfosForOutputs();
            foreach (var (output, place) in Outputs.Zip(places)) binding.BindOutputToDevice(output.Name, place);
            return new DeviceTensors(binding.GetOutputNames(), Native.RunWithBoundResults(options, binding));
        }
        catch (OnnxRuntimeException exception)
        {
            throw Failure(exception, inputs.Select(input => $"{input.Key} [{string.Join(", ", input.Value.GetTensorTypeAndShape().Shape)}]"));
        }
        finally
        {
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
        if (Interlocked.Decrement(ref _users) == 0) Native.Dispose();
    }

    /// <summary>Ends what <see cref="SessionSettings.ProfilePrefix"/> began and returns the file.</summary>
    internal string EndProfiling() => Native.EndProfiling();

    internal void RequireInput(string name) => Require(name, Inputs, "input");

    internal void RequireOutput(string name) => Require(name, Outputs, "output");

    internal ModelRunException Failure(OnnxRuntimeException exception, IEnumerable<string> inputs) =>
        new($"Running {_name} failed on the inputs {string.Join("; ", inputs)}: {RuntimeMessage.OneLine(exception)}", exception);

    private static OnnxSession Load(Func<SessionOptions, InferenceSession> open, SessionSettings settings, string what)
    {
        var name = settings.Name ?? what;
        var search = new DeviceSearch(settings.Device);
        OnnxRuntimeException? failure = null;
        foreach (var device in search.Candidates())
        {
            using var options = NewOptions(settings);
            if (!search.TryAppend(options, device)) continue;
            try
            {
                return new OnnxSession(open(options), name, search.Report(device), settings);
            }
            catch (OnnxRuntimeException exception) when (device.Kind != DeviceKind.Cpu)
            {
                // The provider is there but its device does not answer (a driver that is too old, say), or it is the model that is at fault.
                search.Refused(device, exception);
                failure = exception;
            }
            catch (OnnxRuntimeException exception)
            {
                throw Invalid(name, exception);
            }
        }

        if (failure is not null) RequireLoadsOnCpu(open, settings, name);
        throw search.Failure(failure);
    }

    // Tells a device that fails from a model that nothing can load.
    private static void RequireLoadsOnCpu(Func<SessionOptions, InferenceSession> open, SessionSettings settings, string name)
    {
        using var options = NewOptions(settings);
        try
        {
            open(options).Dispose();
        }
        catch (OnnxRuntimeException exception)
        {
            throw Invalid(name, exception);
        }
    }

    private static InvalidModelException Invalid(string name, OnnxRuntimeException exception) =>
        new($"ONNX Runtime cannot load {name}: {RuntimeMessage.OneLine(exception)}", exception);

    private static SessionOptions NewOptions(SessionSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(settings.Threads, nameof(settings));
        var options = new SessionOptions
        {
            // Not ONNX Runtime's own 0: that pins its threads to cores, where they wait whenever anything else runs there, and sees no container's limit.
            IntraOpNumThreads = settings.Threads == 0 ? Environment.ProcessorCount : settings.Threads,
            InterOpNumThreads = 1,
            EnableCpuMemArena = settings.MemoryArena,
            GraphOptimizationLevel = settings.Optimization switch
            {
                GraphOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                GraphOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                GraphOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                GraphOptimization.All => GraphOptimizationLevel.ORT_ENABLE_ALL,
                _ => throw new ArgumentOutOfRangeException(nameof(settings), settings.Optimization, "Unknown optimization level."),
            },
            // Errors reach the caller as exceptions; without this ONNX Runtime also prints them to stderr.
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        if (settings.ProfilePrefix is { } prefix)
        {
            options.ProfileOutputPathPrefix = prefix;
            options.EnableProfiling = true;
        }

        options.AddSessionConfigEntry("session.intra_op.allow_spinning", settings.Spinning ? "1" : "0");
        options.AddSessionConfigEntry("session.intra_op.spin_duration_us", SpinMicroseconds);
        return options;
    }

    private static bool InputsLieOnTheHost(InferenceSession native)
    {
        try
        {
            using var places = native.GetMemoryInfosForInputs();
            return places.All(place => place.Name == OrtMemoryInfo.DefaultInstance.Name);
        }
        catch (OnnxRuntimeException)
        {
            return false;
        }
    }

    private static TensorInfo Describe(string name, NodeMetadata metadata)
    {
        if (!metadata.IsTensor) return new TensorInfo(name, DataType.Undefined, []);
        var shape = metadata.Dimensions.Select((size, axis) =>
            size >= 0 ? size
            : metadata.SymbolicDimensions[axis] is { Length: > 0 } symbol ? symbol
            : Dimension.Unknown);
        return new TensorInfo(name, (DataType)(int)metadata.ElementDataType, [.. shape]);
    }

    private void Require(string name, IReadOnlyList<TensorInfo> declared, string kind)
    {
        foreach (var tensor in declared)
            if (tensor.Name == name) return;
        throw new ArgumentException(
            $"{_name} has no {kind} '{name}'; its {kind}s are {string.Join(", ", declared.Select(tensor => tensor.Name))}.", nameof(name));
    }
}

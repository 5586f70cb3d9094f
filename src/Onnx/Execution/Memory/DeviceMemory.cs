using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// Where a session's tensors lie on a device with a memory of its own, and how they get there. ONNX Runtime copies an input to such a
/// device once, when it is bound, and never looks at it again; so a bound run keeps tensors there and copies into them itself, through ONNX
/// Runtime's environment. The environment can do that for providers that are registered with it; for one inside the native library, its own
/// file is registered as well, if it is found. Where that fails too, the tensors are handed over at each run.
/// </summary>
internal sealed class DeviceMemory : IDisposable
{
    private readonly InferenceSession _native;
    private readonly Dictionary<string, OrtMemoryInfo> _places = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OrtAllocator> _allocators = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    // A recorded run writes again to the places in the session's arena that it wrote to then, whoever has got them since. So tensors of
    // such a device lie in memory apart from it. It belongs to the environment; null = there is none, or no need.
    private OrtAllocator? _apart;

    private DeviceMemory(InferenceSession native) => _native = native;

    public MemoryReport Report { get; private set; } = new(TensorRoute.InPlace);

    public TensorRoute Route => Report.Route;

    /// <summary>Where the host's buffers are best made; null = in ordinary memory.</summary>
    public PinnedMemory? Pinned { get; private set; }

    /// <summary>The memory of a session's device; null where it is the host's.</summary>
    public static DeviceMemory? Of(InferenceSession native, Device device)
    {
        if (device.Kind == DeviceKind.Cpu) return null;
        var memory = new DeviceMemory(native);
        try
        {
            memory.Find(device);
            return memory.Report is { Route: TensorRoute.InPlace, Obstacle: null } ? null : memory;
        }
        catch (OnnxRuntimeException exception)
        {
            memory.Report = new(TensorRoute.HandedOver, Obstacle: RuntimeMessage.OneLine(exception));
            return memory;
        }
    }

    /// <summary>Makes a tensor where the model wants its input or leaves its output; null where that is the host's memory.</summary>
    /// <param name="tensor">The name of the input or output.</param>
    /// <param name="type">The element type.</param>
    /// <param name="shape">The shape.</param>
    public OrtValue? Allocate(string tensor, TensorElementType type, long[] shape)
    {
        if (Route != TensorRoute.Kept || !_places.ContainsKey(tensor)) return null;
        return OrtValue.CreateAllocatedTensorValue(_apart ?? Allocator(tensor), type, shape);
    }

    /// <summary>Copies tensors between the host and the device; on return they are there.</summary>
    public static void Copy(OrtValue[] from, OrtValue[] to) => OrtEnv.Instance().CopyTensors(from, to, null);

    public void Dispose()
    {
        foreach (var allocator in _allocators.Values) allocator.Dispose();
        _allocators.Clear();
    }

    private void Find(Device device)
    {
        // These belong to the session, and are of no more use once the lists are disposed.
        var inputs = _native.GetMemoryInfosForInputs();
        var outputs = _native.GetMemoryInfosForOutputs();
        var handsOver = false;
        foreach (var (name, place) in _native.InputNames.Zip(inputs))
        {
            if (!IsElsewhere(place, _native.InputMetadata[name])) continue;
            _places.Add(name, place);
            handsOver = true;
        }

        foreach (var (name, place) in _native.OutputNames.Zip(outputs))
            if (IsElsewhere(place, _native.OutputMetadata[name])) _places.TryAdd(name, place);
        if (_places.Count == 0) return;

        var provider = device.Kind is DeviceKind.Cpu or DeviceKind.Custom or DeviceKind.Auto ? null : ExecutionProvider.Of(device.Kind);
        var obstacle = CopyThereAndBack();
        if (obstacle is not null && provider is not null && ProviderLibrary.TryRegister(provider)) obstacle = CopyThereAndBack();
        if (obstacle is not null)
        {
            // Outputs need no more than a bound buffer: ONNX Runtime copies them there at the end of each run.
            Report = new(handsOver ? TensorRoute.HandedOver : TensorRoute.InPlace, Obstacle: obstacle);
            return;
        }

        if (EpDevice(_places.Values.First()) is { } found)
        {
            Pinned = PinnedMemory.Of(found);
            if (device.RecordsGraphs) _apart = Shared(found);
        }

        Report = new(TensorRoute.Kept, Pinned is not null, device.RecordsGraphs);
    }

    private static OrtAllocator? Shared(OrtEpDevice device)
    {
        var place = device.GetMemoryInfo(OrtDeviceMemoryType.DEFAULT);
        return place.IsInvalid ? null : OrtEnv.Instance().GetSharedAllocator(place);
    }

    // Texts and sequences never leave the host.
    private static bool IsElsewhere(OrtMemoryInfo place, NodeMetadata tensor) =>
        tensor is { IsTensor: true, IsString: false } && place.Name != OrtMemoryInfo.DefaultInstance.Name;

    // Null if that went well, otherwise what was in the way.
    private string? CopyThereAndBack()
    {
        try
        {
            byte[] numbers = [1, 2, 3, 4];
            var returned = new byte[4];
            using var host = OrtValue.CreateTensorValueFromMemory(numbers, [4]);
            using var there = OrtValue.CreateAllocatedTensorValue(Allocator(_places.Keys.First()), TensorElementType.UInt8, [4]);
            using var back = OrtValue.CreateTensorValueFromMemory(returned, [4]);
            Copy([host], [there]);
            Copy([there], [back]);
            return returned.AsSpan().SequenceEqual(numbers) ? null : "four bytes came back from the device as others";
        }
        catch (OnnxRuntimeException exception)
        {
            return RuntimeMessage.OneLine(exception);
        }
        catch (EntryPointNotFoundException exception)
        {
            return exception.Message;
        }
    }

    // The session itself names the first device of its provider, whichever it runs on; so this goes by the memory.
    private static OrtEpDevice? EpDevice(OrtMemoryInfo place) => OrtEnv.Instance().GetEpDevices().FirstOrDefault(device =>
        device.GetMemoryInfo(OrtDeviceMemoryType.DEFAULT) is { IsInvalid: false } memory &&
        (memory.Id, memory.GetVendorId()) == (place.Id, place.GetVendorId()));

    private OrtAllocator Allocator(string tensor)
    {
        var place = _places[tensor];
        var key = $"{place.Name} {place.Id}";
        lock (_gate)
        {
            if (!_allocators.TryGetValue(key, out var allocator)) _allocators.Add(key, allocator = new OrtAllocator(_native, place));
            return allocator;
        }
    }
}

/// <summary>
/// Page-locked memory of the host, from which a device copies without a detour. It belongs to ONNX Runtime's environment, which lives as
/// long as the process, so buffers in it may outlive the session.
/// </summary>
internal sealed class PinnedMemory(OrtAllocator allocator)
{
    public OrtMemoryInfo Info { get; } = allocator.Info;

    /// <summary>The memory that a provider offers for a device; null where it offers none.</summary>
    public static PinnedMemory? Of(OrtEpDevice device)
    {
        try
        {
            var info = device.GetMemoryInfo(OrtDeviceMemoryType.HOST_ACCESSIBLE);
            return !info.IsInvalid && OrtEnv.Instance().GetSharedAllocator(info) is { } shared ? new PinnedMemory(shared) : null;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    /// <summary>A block of so many bytes; null where there is no more of it.</summary>
    public OrtMemoryAllocation? TryAllocate(long bytes)
    {
        if (bytes > uint.MaxValue) return null;
        try
        {
            var block = allocator.Allocate((uint)bytes);
            if (!block.IsInvalid) return block;
            block.Dispose();
        }
        catch (OnnxRuntimeException)
        {
            // Page-locked memory is scarce; ordinary memory works as well.
        }

        return null;
    }
}

/// <summary>How tensors get to a model on its device.</summary>
/// <param name="Route">The way they take.</param>
/// <param name="IsPinned">Whether the host's buffers lie in page-locked memory, which the device reads and writes by itself.</param>
/// <param name="ReplaysGraphs">Whether a run of the same shape is recorded and replayed as one CUDA graph.</param>
/// <param name="Obstacle">
/// Why it is not <see cref="TensorRoute.Kept"/> on a device with a memory of its own; null = nothing is in the way.
/// </param>
internal sealed record MemoryReport(TensorRoute Route, bool IsPinned = false, bool ReplaysGraphs = false, string? Obstacle = null)
{
    /// <summary>One line.</summary>
    public override string ToString()
    {
        var way = Route switch
        {
            TensorRoute.InPlace => "tensors are read and written in the host's memory",
            TensorRoute.Kept when IsPinned => "tensors stay on the device, copied from and to page-locked memory of the host",
            TensorRoute.Kept => "tensors stay on the device, copied from and to ordinary memory of the host",
            _ => "tensors are made on the device at each run",
        };
        var graphs = ReplaysGraphs ? "; runs are replayed as CUDA graphs" : string.Empty;
        return $"{way}{graphs}{(Obstacle is null ? string.Empty : $" ({Obstacle})")}";
    }
}

/// <summary>How a bound run's tensors get to the model and back.</summary>
internal enum TensorRoute
{
    /// <summary>The model reads and writes the host's memory.</summary>
    InPlace,

    /// <summary>
    /// Each bound run keeps tensors of its own in the device's memory; a run copies the inputs there and the outputs back, and no more.
    /// </summary>
    Kept,

    /// <summary>ONNX Runtime makes tensors in the device's memory anew at each run.</summary>
    HandedOver,
}

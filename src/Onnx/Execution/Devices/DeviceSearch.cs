using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>
/// The one place that turns a <see cref="Device"/> into an execution provider. Three ways, in this order: the native library has it; a
/// library with it can be registered while the application runs; neither. Everything that was tried is written down.
/// </summary>
internal sealed class DeviceSearch(Device requested)
{
    private readonly List<DeviceAttempt> _attempts = [];

    public IReadOnlyList<DeviceAttempt> Attempts => _attempts;

    /// <summary>The devices to try, the best first; the CPU is the last where it may be taken.</summary>
    public IEnumerable<Device> Candidates() => requested.Kind switch
    {
        DeviceKind.Auto =>
        [
            .. ExecutionProvider.All.Where(
                provider => provider is { IsAutomatic: true, NotHere: null }).Select(provider => provider.Default),
            Device.Cpu,
        ],
        _ when requested.FallsBack => [requested, Device.Cpu],
        _ => [requested],
    };

    /// <summary>Whether it is the CPU that a device comes to, since nothing that would be tried before it is there.</summary>
    /// <exception cref="NativeRuntimeException">ONNX Runtime's native library is missing.</exception>
    public static bool EndsOnCpu(Device requested)
    {
        NativeRuntime.Require();
        var search = new DeviceSearch(requested);
        using var options = new SessionOptions();
        foreach (var device in search.Candidates())
        {
            if (device.Kind == DeviceKind.Cpu) return true;
            if (search.TryAppend(options, device)) return false;
        }

        return false;
    }

    /// <summary>Adds the provider for a device; false where there is none.</summary>
    public bool TryAppend(SessionOptions options, Device device)
    {
        if (device.Kind == DeviceKind.Cpu) return true;
        if (device.Kind == DeviceKind.Custom) return Try("the options of your own", () => device.Configure!(options));
        var provider = ExecutionProvider.Of(device.Kind);
        if (provider.NotHere is { } reason)
        {
            _attempts.Add(new(device.ToString(), reason, found: false));
            return false;
        }

        provider.Configure(options);
        return TryBuiltIn(options, device, provider) || TryRegistered(options, device, provider) || TryLibraries(options, device, provider);
    }

    /// <summary>Writes down that a provider was there, but the model could not be loaded with it.</summary>
    public void Refused(Device device, OnnxRuntimeException exception) =>
        _attempts.Add(new($"loading the model on {device}", RuntimeMessage.OneLine(exception)));

    public DeviceReport Report(Device actual) => new(requested, actual, [.. _attempts]);

    public DeviceNotAvailableException Failure(Exception? innerException = null)
    {
        var install =
            requested.Kind is DeviceKind.Custom ? string.Empty : $" What it needs: {ExecutionProvider.Of(requested.Kind).Install}";
        var tried = string.Join(" ", _attempts.Select((attempt, index) => $"({index + 1}) {attempt}."));
        return new(
            $"The device {requested} was asked for, but cannot be used. Tried: {tried}{install} Or take the device auto or cpu.",
            Attempts,
            innerException);
    }

    private bool TryBuiltIn(SessionOptions options, Device device, ExecutionProvider provider)
    {
        var available = OrtEnv.Instance().GetAvailableProviders();
        if (device.Library is not null) return false;
        const string what = "ONNX Runtime's own library";
        if (available.Contains(provider.ProviderName)) return Try(what, () => provider.AppendBuiltIn(options, device));
        var answer = $"it was built without {provider.ProviderName} (it has {string.Join(", ", available)})";
        _attempts.Add(new(what, answer, found: false));
        return false;
    }

    // An application may have registered a library itself.
    private bool TryRegistered(SessionOptions options, Device device, ExecutionProvider provider)
    {
        if (device.Library is not null) return false;
        var devices = OrtEnv.Instance().GetEpDevices().Where(found => found.EpName == provider.ProviderName).ToList();
        return devices.Count > 0 && Try("a provider library that is already registered", () => Append(options, device, devices));
    }

    private bool TryLibraries(SessionOptions options, Device device, ExecutionProvider provider)
    {
        if (provider.LibraryName is null && device.Library is null) return false;
        var file = ProviderLibrary.FileName(provider.LibraryName ?? string.Empty);
        string[] places = device.Library is { } given
            ? [Path.GetFullPath(Directory.Exists(given) ? Path.Combine(given, file) : given)]
            : [.. ProviderLibrary.Folders().Select(folder => Path.Combine(folder, file))];
        var there = places.Where(File.Exists).ToList();
        if (there.Count == 0)
            _attempts.Add(
                new($"the provider library {file}", $"not in {string.Join(", ", places.Select(Path.GetDirectoryName))}", found: false));
        return there.Exists(path => Try($"the provider library {path}", () => Append(options, device, ProviderLibrary.Devices(path))));
    }

    private static void Append(SessionOptions options, Device device, IReadOnlyList<OrtEpDevice> devices)
    {
        if (devices.Count == 0) throw new NotSupportedException("it loads, but finds no device that it can use");
        if (ProviderLibrary.Numbered(devices, device.Index) is not { } chosen)
        {
            var numbers = string.Join(", ", ProviderLibrary.Numbers(devices));
            throw new NotSupportedException(
                $"it finds {devices.Count} device(s), with the number(s) {numbers}; {device.Index} is not among them");
        }

        // The device says its number to the provider itself.
        var providerOptions = device.Options.Where(option => option.Key != "device_id").ToDictionary();
        options.AppendExecutionProvider(OrtEnv.Instance(), [chosen], providerOptions);
    }

    // A native library without a provider may lack the very symbol, so not everything is an OnnxRuntimeException.
    private bool Try(string what, Action append)
    {
        try
        {
            append();
            _attempts.Add(new(what, null));
            return true;
        }
        catch (OnnxRuntimeException exception)
        {
            var answer = RuntimeMessage.OneLine(exception);
            _attempts.Add(new(what, answer + ProviderLibrary.AllThatIsMissing(answer)));
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or DllNotFoundException or NotSupportedException)
        {
            _attempts.Add(new(what, exception.Message.ReplaceLineEndings(" ").Trim().TrimEnd('.')));
        }

        return false;
    }
}

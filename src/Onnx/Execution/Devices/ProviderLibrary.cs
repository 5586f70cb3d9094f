using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>Provider libraries that are registered with ONNX Runtime while the application runs, and where they are looked for.</summary>
internal static class ProviderLibrary
{
    // ONNX Runtime keeps a registered library until the process ends; registering one twice is an error.
    private static readonly ConcurrentDictionary<string, IReadOnlyList<string>> Registered = new(StringComparer.Ordinal);
    private static readonly Lock Gate = new();

    /// <summary>The file's name on this operating system.</summary>
    public static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    /// <summary>Beside the application, in the folder where NuGet puts native files, and where the runtime itself looks for them.</summary>
    public static IEnumerable<string> Folders()
    {
        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string[] folders = [AppContext.BaseDirectory, Path.Combine(
            AppContext.BaseDirectory, "runtimes", $"{system}-{architecture}", "native")];
        var searched = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? string.Empty)
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Concat(searched).Select(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))).Distinct();
    }

    /// <summary>
    /// Registers the library of a provider that is part of the native library, where it lies in one of the usual folders.
    /// </summary>
    public static bool TryRegister(ExecutionProvider provider)
    {
        if (provider.LibraryName is not { } name) return false;
        foreach (var path in Folders().Select(folder => Path.Combine(folder, FileName(name))).Where(File.Exists))
        {
            try
            {
                if (Devices(path).Count > 0) return true;
            }
            catch (OnnxRuntimeException)
            {
                // Not one that can be registered.
            }
        }

        return false;
    }

    /// <summary>
    /// The device with a number, as the provider itself counts (its option <c>device_id</c>); by place in the list where it does not say.
    /// Null where there is none.
    /// </summary>
    public static OrtEpDevice? Numbered(IReadOnlyList<OrtEpDevice> devices, int number)
    {
        var numbers = Numbers(devices);
        var place = numbers.IndexOf(number);
        return place >= 0 ? devices[place] : null;
    }

    /// <summary>The numbers of devices.</summary>
    public static List<int> Numbers(IReadOnlyList<OrtEpDevice> devices)
    {
        var given = devices.Select(device => NumberOf(device.EpOptions.Entries) ?? NumberOf(device.EpMetadata.Entries)).ToList();
        return given.Contains(null) ? [.. Enumerable.Range(0, devices.Count)] : [.. given.Select(number => number!.Value)];
    }

    /// <summary>Registers a library, unless it is already, and returns the devices that it brings.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be loaded, or is no provider library.</exception>
    public static IReadOnlyList<OrtEpDevice> Devices(string path)
    {
        var environment = OrtEnv.Instance();
        lock (Gate)
        {
            if (!Registered.TryGetValue(path, out var names))
            {
                var before = environment.GetEpDevices().Select(device => device.EpName).ToHashSet(StringComparer.Ordinal);
                environment.RegisterExecutionProviderLibrary($"mlnetbn {path}", path);
                names = [.. environment.GetEpDevices().Select(device => device.EpName).Where(name => !before.Contains(name)).Distinct()];
                Registered[path] = names;
            }

            return [.. environment.GetEpDevices().Where(device => names.Contains(device.EpName))];
        }
    }

    private static int? NumberOf(IReadOnlyDictionary<string, string> entries) =>
        entries.TryGetValue(
            "device_id", out var text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}

using System.Collections.Concurrent;
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
        string[] folders = [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", $"{system}-{architecture}", "native")];
        var searched = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? string.Empty).Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Concat(searched).Select(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))).Distinct();
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
}

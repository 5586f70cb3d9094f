using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>Provider libraries that are registered with ONNX Runtime while the application runs, and where they are looked for.</summary>
internal static partial class ProviderLibrary
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

    /// <summary>
    /// What is to be added where ONNX Runtime says that a provider's library cannot be loaded: the loader stops at the first library that
    /// it does not find, and whoever installs that one meets the next. Empty where there is nothing to add.
    /// </summary>
    /// <param name="answer">ONNX Runtime's message.</param>
    public static string AllThatIsMissing(string answer)
    {
        var failure = LoaderFailure().Match(answer);
        if (!failure.Success || !File.Exists(failure.Groups["file"].Value)) return string.Empty;
        var missing = Needed(failure.Groups["file"].Value).Where(name => !Loads(name)).ToList();
        if (missing.Count == 0) return string.Empty;
        var names = missing.Select(name => name.StartsWith("libcuda.so", StringComparison.Ordinal) ? $"{name} (the NVIDIA driver)" : name);
        return $" (all that it misses: {string.Join(", ", names)})";
    }

    /// <summary>
    /// The libraries that a library is linked against (<c>DT_NEEDED</c>, System V ABI, chapter "Dynamic Linking"); none where the file is
    /// no 64-bit little-endian ELF file.
    /// </summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    internal static IReadOnlyList<string> Needed(string path)
    {
        const int headerSize = 64, sectionSize = 64, dynamicType = 6, needed = 1, entrySize = 16;
        using var file = File.OpenHandle(path);
        var header = Read(0, headerSize);
        if (header.Length < headerSize || !header.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8)) return [];
        var sections = Read(Whole(header, 40), (long)sectionSize * BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(60)));
        for (var at = 0; at + sectionSize <= sections.Length; at += sectionSize)
        {
            var section = sections.AsSpan(at);
            if (BinaryPrimitives.ReadInt32LittleEndian(section[4..]) != dynamicType) continue;
            var entries = Read(Whole(section, 24), Whole(section, 32));
            var strings = sections.AsSpan(BinaryPrimitives.ReadInt32LittleEndian(section[40..]) * sectionSize);
            var names = Read(Whole(strings, 24), Whole(strings, 32));
            var result = new List<string>();
            for (var entry = 0; entry + entrySize <= entries.Length; entry += entrySize)
            {
                if (Whole(entries.AsSpan(entry), 0) != needed) continue;
                var name = names.AsSpan((int)Whole(entries.AsSpan(entry), 8));
                result.Add(Encoding.UTF8.GetString(name[..name.IndexOf((byte)0)]));
            }

            return result;
        }

        return [];

        static long Whole(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

        byte[] Read(long from, long count)
        {
            var length = RandomAccess.GetLength(file);
            if (from < 0 || count < 0 || from > length) return [];
            var bytes = new byte[Math.Min(count, length - from)];
            return bytes[..RandomAccess.Read(file, bytes, from)];
        }
    }

    // As the loader: by name, where the system and LD_LIBRARY_PATH say.
    private static bool Loads(string name)
    {
        if (!NativeLibrary.TryLoad(name, out var library)) return false;
        NativeLibrary.Free(library);
        return true;
    }

    [GeneratedRegex(@"Failed to load library (?<file>.+?) with error: \S+: cannot open shared object file")]
    private static partial Regex LoaderFailure();

    private static int? NumberOf(IReadOnlyDictionary<string, string> entries) =>
        entries.TryGetValue(
            "device_id", out var text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}

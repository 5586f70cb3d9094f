using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Devices;

/// <summary>
/// The native library behind ONNX Runtime's managed one. Our packages leave it to the application, so it is the one thing that can be
/// forgotten; what .NET says then is the failure of a static constructor.
/// </summary>
internal static class NativeRuntime
{
    private const string Library = "onnxruntime";
    private static volatile bool _answers;

    /// <summary>The library's version; 0.0 where it is no version. To be asked for after <see cref="Require"/>.</summary>
    public static Version Version
    {
        get
        {
            // "1.31.1", or "1.32.0-dev" and the like.
            var text = OrtEnv.Instance().GetVersionString().Split('-', '+')[0];
            return Version.TryParse(text, out var version) ? version : new();
        }
    }

    private static string Package => "dotnet add package Microsoft.ML.OnnxRuntime" + (
        OperatingSystem.IsWindows() ? ", or for NVIDIA GPUs Microsoft.ML.OnnxRuntime.Gpu.Windows"
        : OperatingSystem.IsLinux() ? ", or for NVIDIA GPUs Microsoft.ML.OnnxRuntime.Gpu.Linux"
        : string.Empty);

    /// <summary>Goes before whatever else is asked of ONNX Runtime.</summary>
    /// <exception cref="NativeRuntimeException">The library is missing, does not load, or is too old.</exception>
    public static void Require()
    {
        if (_answers) return;
        try
        {
            _ = OrtEnv.Instance().GetVersionString();
            _answers = true;
        }
        catch (Exception exception) when (exception
            is TypeInitializationException or DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            var managed = typeof(OrtEnv).Assembly.GetName().Version!.ToString(3);
            var message = Explain(exception.GetBaseException(), ProviderLibrary.Folders(), managed, VersionThere());
            throw new NativeRuntimeException(message, exception);
        }
    }

    /// <summary>What to tell the user.</summary>
    /// <param name="failure">What .NET or ONNX Runtime said.</param>
    /// <param name="folders">Where the library is looked for.</param>
    /// <param name="managed">The version of the managed library.</param>
    /// <param name="native">The version of the native one; null if it does not say.</param>
    internal static string Explain(Exception failure, IEnumerable<string> folders, string managed, string? native)
    {
        if (native is not null)
        {
            return $"ONNX Runtime's native library has version {native}, its managed one {managed}, and they do not go together: " +
                $"{OneLine(failure)} Give the application the native package of version {managed} or later: {Package}.";
        }

        var file = ProviderLibrary.FileName(Library);
        var looked = folders.ToList();
        var there = looked.Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        if (there is null)
        {
            return $"ONNX Runtime's native library {file} is missing; it was looked for in {string.Join(", ", looked)}. " +
                $"Add the package that brings it to the application: {Package}. (Version {managed} or later.)";
        }

        // On Linux and macOS .NET says for each file that it tried, a line each, what was wrong.
        var lines = failure.Message.Split('\n', StringSplitOptions.TrimEntries);
        var line = Array.Find(lines, text => text.StartsWith($"{there}: ", StringComparison.Ordinal));
        var why = line?[(there.Length + 2)..] ?? OneLine(failure);
        return $"ONNX Runtime's native library {there} cannot be loaded: {why.TrimEnd('.')}. It must be made for " +
            $"{RuntimeInformation.RuntimeIdentifier}, and so must the libraries that it needs. The package that brings it: {Package}.";
    }

    private static string OneLine(Exception exception) => exception.Message.ReplaceLineEndings(" ").Trim();

    // What a library that is too old for the managed one still answers: OrtApiBase has GetApi, then GetVersionString, in every version.
    private static unsafe string? VersionThere()
    {
        if (!NativeLibrary.TryLoad(Library, typeof(OrtEnv).Assembly, null, out var library)) return null;
        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out var export)) return null;
        var functions = ((delegate* unmanaged<nint*>)export)();
        return Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)functions[1])());
    }
}

/// <summary>ONNX Runtime's error messages on one line, without source locations and stack traces of its own.</summary>
internal static partial class RuntimeMessage
{
    public static string OneLine(OnnxRuntimeException exception) => OneLine(exception.Message);

    public static string OneLine(string message)
    {
        var text = StackTrace().Split(message, 2)[0];
        text = SourceLocation().Replace(text, " ");
        return WhiteSpace().Replace(text, " ").Trim();
    }

    [GeneratedRegex(@"\s*Stacktrace:", RegexOptions.IgnoreCase)]
    private static partial Regex StackTrace();

    // ".../core/providers/cpu/x.cc:123 Type& onnxruntime::Function(args) [ONNXRuntimeError] : 1 : FAIL : " as it puts in front of its
    // words.
    [GeneratedRegex(@"\S*\.(cc|h|hpp|cpp):\d+ ([\w:<>&*]+ ){0,3}(\S+::)?[\w~<>]+\([^)]*\)( const)?( \[.*?\])?\s*(: \d+ : [A-Z_]+ : )?")]
    private static partial Regex SourceLocation();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}

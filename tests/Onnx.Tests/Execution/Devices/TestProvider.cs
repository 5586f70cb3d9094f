using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>TestProvider.c, compiled. ONNX Runtime keeps the library until the process ends, so it is never deleted.</summary>
public class TestProvider
{
    private static int _last;
    private readonly Lazy<TestCounterFunction> _counter;

    public TestProvider()
        : this([])
    {
    }

    protected TestProvider(string[] definitions)
    {
        _counter = new(() => Marshal.GetDelegateForFunctionPointer<TestCounterFunction>(
            NativeLibrary.GetExport(NativeLibrary.Load(Path), "TestCounter")));
        if (Compiler is null || Headers is null) return;
        var number = Interlocked.Increment(ref _last);
        Name = $"Test{number}ExecutionProvider";
        var folder = Directory.CreateTempSubdirectory("mlnetbn-provider-").FullName;
        Path = System.IO.Path.Combine(folder, ProviderLibrary.FileName("testprovider"));
        var source = System.IO.Path.Combine(AppContext.BaseDirectory, "TestProvider.c");
        string[] arguments =
        [
            "-O1", "-shared", "-fPIC", $"-DPROVIDER=\"{Name}\"", $"-DVENDOR={0x7e57 + number}", .. definitions,
            "-I", Headers, source, "-o", Path,
        ];
        using var process = Process.Start(new ProcessStartInfo(Compiler, arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }

    public static string? Compiler { get; } = OperatingSystem.IsWindows()
        ? null
        : (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':')
            .Select(folder => System.IO.Path.Combine(folder, "gcc"))
            .FirstOrDefault(File.Exists);

    /// <summary>The folder with onnxruntime_c_api.h, of the version that runs.</summary>
    public static string? Headers { get; } = FindHeaders();

    /// <summary>What is missing to compile it; null = nothing.</summary>
    public static string? Missing =>
        Compiler is null ? "there is no gcc"
        : Headers is null ? "ONNX Runtime's C headers are not in its package"
        : null;

    public string Path { get; } = string.Empty;

    /// <summary>A name of its own for each: ONNX Runtime tells registered providers apart by it.</summary>
    public string Name { get; } = string.Empty;

    /// <summary>How often something has happened so far.</summary>
    public int this[TestCount what] => _counter.Value((int)what);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int TestCounterFunction(int which);

    private static string? FindHeaders() =>
        typeof(TestProvider).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(item => item.Key == "OnnxRuntimeHeaders").Value is { } folder
        && File.Exists(System.IO.Path.Combine(folder, "onnxruntime_ep_c_api.h")) ? folder : null;
}

/// <summary>A device to which ONNX Runtime's sessions copy, but its environment does not.</summary>
public sealed class SessionsCopyProvider() : TestProvider(["-DHANDS_OVER"]);

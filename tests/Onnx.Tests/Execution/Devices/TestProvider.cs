using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>TestProvider.c, compiled. ONNX Runtime keeps the library until the process ends, so it is never deleted.</summary>
public sealed class TestProvider
{
    public TestProvider()
    {
        if (Compiler is null || Headers is null) return;
        var folder = Directory.CreateTempSubdirectory("mlnetbn-provider-").FullName;
        Path = System.IO.Path.Combine(folder, ProviderLibrary.FileName("testprovider"));
        var source = System.IO.Path.Combine(AppContext.BaseDirectory, "TestProvider.c");
        using var process = Process.Start(new ProcessStartInfo(Compiler, ["-shared", "-fPIC", "-I", Headers, source, "-o", Path]) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }

    public static string? Compiler { get; } = OperatingSystem.IsWindows()
        ? null
        : (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Select(folder => System.IO.Path.Combine(folder, "gcc")).FirstOrDefault(File.Exists);

    /// <summary>The folder with onnxruntime_c_api.h, of the version that runs.</summary>
    public static string? Headers { get; } = FindHeaders();

    public string Path { get; } = string.Empty;

    private static string? FindHeaders()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var package = System.IO.Path.Combine(folder.FullName, "standins", "OnnxRuntime", "node_modules");
            if (Directory.Exists(package))
                return System.IO.Path.GetDirectoryName(Directory.EnumerateFiles(package, "onnxruntime_ep_c_api.h", SearchOption.AllDirectories).FirstOrDefault());
        }

        return null;
    }
}

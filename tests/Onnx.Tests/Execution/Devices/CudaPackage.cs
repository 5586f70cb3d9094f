using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>ONNX Runtime's CUDA provider as NuGet has it: 245 MB, so it is restored only where somebody asks for it.</summary>
internal static class CudaPackage
{
    /// <summary>1 = the package may be downloaded.</summary>
    public const string Variable = "MLNETBN_GPU_TESTS";

    private static readonly Lazy<string> Restored = new(Restore);

    public static string Name { get; } = $"Microsoft.ML.OnnxRuntime.Gpu.{(OperatingSystem.IsWindows() ? "Windows" : "Linux")}";

    /// <summary>The version that belongs to the ONNX Runtime that runs.</summary>
    public static string Version { get; } =
        typeof(CudaPackage).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(item => item.Key == "OnnxRuntimeGpuVersion")
            .Value!;

    /// <summary>The provider library in NuGet's own folder of packages, to which the first who asks restores it.</summary>
    public static string Library => Restored.Value;

    // A project that downloads the package and nothing else; NuGet keeps it for the next time.
    private static string Restore()
    {
        var folder = Directory.CreateTempSubdirectory("mlnetbn-cuda-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "Cuda.csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <TargetFramework>net{Environment.Version.Major}.0</TargetFramework>
                  </PropertyGroup>
                  <ItemGroup>
                    <PackageDownload Include="{Name}" Version="[{Version}]" />
                  </ItemGroup>
                </Project>
                """);
            Run(folder.FullName, "restore", "--nologo");
            using var assets = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.FullName, "obj", "project.assets.json")));
            var system = OperatingSystem.IsWindows() ? "win-x64" : "linux-x64";
            var file = ProviderLibrary.FileName("onnxruntime_providers_cuda");
            var path = Path.Combine(Name.ToLowerInvariant(), Version, "runtimes", system, "native", file);
            var folders = assets.RootElement.GetProperty("packageFolders").EnumerateObject();
            return folders.Select(packages => Path.Combine(packages.Name, path)).First(File.Exists);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Run(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output + errors.Result);
    }
}

/// <summary>A test of what the real CUDA provider says where there is no GPU.</summary>
public sealed class CudaPackageFactAttribute : FactAttribute
{
    public CudaPackageFactAttribute()
    {
        if (Environment.GetEnvironmentVariable(CudaPackage.Variable) is not "1")
            Skip = $"{CudaPackage.Variable} is not 1: with it, {CudaPackage.Name} {CudaPackage.Version} (245 MB) is downloaded and tried";
        else if (DeviceSurvey.Take().Devices.Any(status => status is { Device.Kind: DeviceKind.Cuda, IsAvailable: true }))
            Skip = "there is a GPU here, and the provider works";
    }
}

using MlNetBatchNorm.Onnx.Execution.Devices;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>
/// What is said of a native library that is not as it should be. That it is said, programs without one show: Packages.Tests.
/// </summary>
public sealed class NativeRuntimeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("native-");

    private string Library => Path.Combine(_folder.FullName, ProviderLibrary.FileName("onnxruntime"));

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Require_LibraryThere_DoesNothing() => NativeRuntime.Require();

    [Fact]
    public void Explain_NoFile_SaysWhereItWasLookedForAndWhichPackageToAdd()
    {
        var failure = new DllNotFoundException("Unable to load shared library");
        var message = NativeRuntime.Explain(failure, [_folder.FullName, "/other"], "1.31.1", null);
        Assert.StartsWith("ONNX Runtime's native library", message, StringComparison.Ordinal);
        Assert.Contains($"is missing; it was looked for in {_folder.FullName}, /other.", message, StringComparison.Ordinal);
        Assert.Contains("dotnet add package Microsoft.ML.OnnxRuntime", message, StringComparison.Ordinal);
        Assert.Contains("1.31.1", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Explain_FileOfAnotherKind_SaysWhichAndWhatIsWrongWithIt()
    {
        File.WriteAllText(Library, "no library");
        var failure = new DllNotFoundException($"Unable to load 'onnxruntime'.\n/a/x.so: no such file\n{Library}: invalid ELF header\n");
        var message = NativeRuntime.Explain(failure, ["/other", _folder.FullName], "1.31.1", null);
        Assert.Contains($"library {Library} cannot be loaded: invalid ELF header. It must be made for ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("no such file", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_WindowsOwnWords_AreKept()
    {
        File.WriteAllText(Library, "no library");
        var failure = new BadImageFormatException("An attempt was made to load a program with an incorrect format. (0x8007000B)");
        var message = NativeRuntime.Explain(failure, [_folder.FullName], "1.31.1", null);
        Assert.Contains("an incorrect format. (0x8007000B). It must be made for", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_OlderLibrary_NamesBothVersions()
    {
        File.WriteAllText(Library, "an old library");
        var failure = new InvalidOperationException("The native ONNX Runtime library does not support API version 31.");
        var message = NativeRuntime.Explain(failure, [_folder.FullName], "1.31.1", "1.30.0");
        Assert.StartsWith(
            "ONNX Runtime's native library has version 1.30.0, its managed one 1.31.1, and they do not go together: "
                + "The native ONNX Runtime library does not support API version 31. "
                + "Give the application the native package of version 1.31.1 or later: "
                + "dotnet add package Microsoft.ML.OnnxRuntime",
            message, StringComparison.Ordinal);
    }
}

using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>Registration of a provider library that loads: TestProvider.c, which has two devices.</summary>
public sealed class ProviderLibraryTests : IClassFixture<TestProvider>
{
    private readonly TestProvider _provider;

    public ProviderLibraryTests(TestProvider provider) => _provider = provider;

    private static ModelProto Negation()
    {
        var nodes = new GraphBuilder("negation");
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("x", DataType.Float, "N", 2)]), DataType.Float, "N", 2);
        return nodes.Build();
    }

    [ProviderLibraryFact]
    public void Load_LibraryWithADevice_RunsThere()
    {
        for (var time = 0; time < 2; time++)
        {
            using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = OnGpu(0) });
            Assert.Equal(DeviceKind.Cuda, scorer.Device.Kind);
            Assert.False(scorer.DeviceReport.FellBack);
            Assert.Equal($"the provider library {_provider.Path}: done", Assert.Single(scorer.DeviceReport.Attempts).ToString());
            var result = new float[2];
            scorer.Score([1, 2], result);
            Assert.Equal([-1f, -2f], result);
        }
    }

    // The loader itself names the first only.
    [ProviderLibraryFact]
    public void Load_LibraryThatMissesOthers_NamesAllOfThem()
    {
        var folder = Directory.CreateTempSubdirectory("mlnetbn-missing-").FullName;
        string[] missing = ["libfirst.so.9", "libcuda.so.999"];
        foreach (var name in missing) Compile($"-Wl,-soname,{name}", "-o", Path.Combine(folder, name));
        var library = Path.Combine(folder, "provider.so");
        Compile(["-o", library, "-Wl,--no-as-needed", "-L", folder, .. missing.Select(name => $"-l:{name}")]);
        foreach (var name in missing) File.Delete(Path.Combine(folder, name));

        var device = Device.Cuda(new CudaOptions { Library = library });
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = device }));

        Assert.EndsWith(
            "libfirst.so.9: cannot open shared object file: No such file or directory "
            + "(all that it misses: libfirst.so.9, libcuda.so.999 (the NVIDIA driver))",
            Assert.Single(exception.Attempts).Answer,
            StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);

        static void Compile(params string[] arguments)
        {
            string[] empty = ["-shared", "-fPIC", "-x", "c", "/dev/null", "-x", "none"];
            using var process = Process.Start(TestProvider.Compiler!, [.. empty, .. arguments]);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("no library")]
    [InlineData("\u007fELF\u0002\u0001 and then nothing that would be one of a library, though it is longer than a header")]
    public void Needed_FileThatIsNoLibrary_IsNothing(string content)
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, content);
        Assert.Empty(ProviderLibrary.Needed(path));
        File.Delete(path);
    }

    [ProviderLibraryFact]
    public void Load_DeviceNumberTooHigh_SaysHowManyThereAre()
    {
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = OnGpu(8) }));
        Assert.Contains("it finds 2 device(s), with the number(s) 1, 0; 8 is not among them", exception.Message, StringComparison.Ordinal);
    }

    // The library lists its devices as 1, 0.
    [ProviderLibraryTheory]
    [InlineData(0)]
    [InlineData(1)]
    public void Load_OneOfSeveralDevices_TakesTheOneWithThatNumber(int number)
    {
        using var session = OnnxSession.Load(Negation(), new ExecutionOptions { Device = OnGpu(number) });
        using var tensor = session.AllocateInput("x", 1, 2);
        Assert.True(tensor.IsOnDevice);
        Assert.Equal(number, tensor.Value.GetTensorMemoryInfo().Id);
    }

    // The options reach the provider, and it fails when the session is made, as CUDA does without a GPU.
    [ProviderLibraryFact]
    public void Load_ProviderThatFails_IsStrictOrFallsBack()
    {
        var failing = Device.Cuda(
            new CudaOptions { Library = _provider.Path, More = new Dictionary<string, string> { ["fail"] = "1" } });
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = failing }));
        Assert.Contains("no capable device is detected", exception.Message, StringComparison.Ordinal);
        using var fallen = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = failing.OrCpu() });
        Assert.Equal(Device.Cpu, fallen.Device);
        Assert.True(fallen.DeviceReport.IsSurprising);
        Assert.Contains("no capable device is detected", fallen.DeviceReport.ToString(), StringComparison.Ordinal);
    }

    private Device OnGpu(int index) => Device.Cuda(new CudaOptions { Index = index, Library = _provider.Path });
}

using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Execution.Devices;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using Xunit.Abstractions;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>
/// What happens where a device cannot be had. The tests run on ONNX Runtime's CPU package; on a GPU package they are skipped.
/// </summary>
public sealed class DeviceSearchTests(ITestOutputHelper output)
{
    private static ModelProto Negation()
    {
        var nodes = new GraphBuilder("negation");
        nodes.Output("y", nodes.Node("Neg", [nodes.Input("x", DataType.Float, "N", 2)]), DataType.Float, "N", 2);
        return nodes.Build();
    }

    private static OnnxSession Load(Device device, ModelProto? model = null) =>
        OnnxSession.Load(model ?? Negation(), new ExecutionOptions { Device = device });

    [CpuPackageFact]
    public void Load_CudaOnACpuBuild_ListsEachThingTried()
    {
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(Device.Cuda(1)));
        Assert.StartsWith(
            "The device cuda:1 was asked for, but cannot be used. Tried: (1) ONNX Runtime's own library: it was built without " +
            "CUDAExecutionProvider",
            exception.Message,
            StringComparison.Ordinal);
        var library = ProviderLibrary.FileName("onnxruntime_providers_cuda");
        Assert.Contains($"(2) the provider library {library}: not in ", exception.Message, StringComparison.Ordinal);
        Assert.Contains(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory), exception.Message, StringComparison.Ordinal);
        Assert.Contains(Path.Combine("runtimes", ""), exception.Message, StringComparison.Ordinal);
        Assert.Contains("Microsoft.ML.OnnxRuntime.Gpu", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
        Assert.All(exception.Attempts, attempt => Assert.False(attempt.Found));
    }

    [CpuPackageFact]
    public void Load_Auto_FallsBackWithoutAWordWhereThereIsNothing()
    {
        using var session = Load(Device.Auto);
        Assert.Equal(Device.Cpu, session.Device);
        Assert.True(session.DeviceReport.FellBack);
        Assert.False(session.DeviceReport.IsSurprising);
        Assert.Contains(
            "auto was asked for and the CPU is used: ONNX Runtime's own library: it was built without",
            session.DeviceReport.ToString(),
            StringComparison.Ordinal);
    }

    [CpuPackageFact]
    public void Load_CudaOrCpu_FallsBackAndSaysSo()
    {
        using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = Device.Cuda().OrCpu() });
        Assert.Equal(Device.Cpu, scorer.Device);
        Assert.True(scorer.DeviceReport.IsSurprising);
        var result = new float[2];
        scorer.Score([1, 2], result);
        Assert.Equal([-1f, -2f], result);
    }

    [Fact]
    public void Load_Cpu_TriesNothing()
    {
        using var session = Load(Device.Cpu);
        Assert.False(session.DeviceReport.FellBack);
        Assert.Empty(session.DeviceReport.Attempts);
        Assert.Equal("on cpu", session.DeviceReport.ToString());
    }

    [Fact]
    public void Load_LibraryThatIsNotThere_SaysWhere()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "no such folder");
        var missing = new CudaOptions { Library = Path.Combine(folder, "cuda.so") };
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(Device.Cuda(missing)));
        Assert.Contains($"not in {folder}.", exception.Message, StringComparison.Ordinal);
        Assert.Single(exception.Attempts);
    }

    [Fact]
    public void Load_LibraryThatIsNone_GivesTheLoadersAnswer()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.so");
        File.WriteAllText(path, "this is no library");
        try
        {
            var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(Device.Cuda(new CudaOptions { Library = path })));
            Assert.Contains($"the provider library {path}: ", exception.Message, StringComparison.Ordinal);
            Assert.Contains("Failed to load library", exception.Message, StringComparison.Ordinal);
            using var fallen = Load(Device.Cuda(new CudaOptions { Library = path }).OrCpu());
            Assert.Contains(fallen.DeviceReport.Attempts, attempt => attempt.Found && attempt.Answer is not null);
        }
        finally
        {
            File.Delete(path);
        }
    }

    // ONNX Runtime's own library is one that loads, and no provider library.
    [Fact]
    public void Load_LibraryWithoutAProvider_NamesWhatIsMissing()
    {
        var path = Path.Combine(AppContext.BaseDirectory, ProviderLibrary.FileName("onnxruntime"));
        if (!File.Exists(path))
            path = ProviderLibrary.Folders().Select(folder => Path.Combine(folder, Path.GetFileName(path))).First(File.Exists);
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(Device.OpenVino(library: path)));
        Assert.Contains("CreateEpFactories", exception.Message, StringComparison.Ordinal);
    }

    // The two answers that the C# binding gives on a CPU build: a symbol that is not there, and options that cannot be made.
    [CpuPackageFact]
    public void Load_BindingFails_IsAnAnswerAndNoCrash()
    {
        var symbol =
            Assert.Throws<DeviceNotAvailableException>(() => Load(Device.Custom(options => options.AppendExecutionProvider_CUDA(0))));
        Assert.Contains("OrtSessionOptionsAppendExecutionProvider_CUDA", symbol.Message, StringComparison.Ordinal);
        var disabled = Assert.Throws<DeviceNotAvailableException>(
            () => Load(Device.Custom(options => new CudaProvider().AppendBuiltIn(options, Device.Cuda()))));
        Assert.Contains("CUDA execution provider is not enabled in this build", disabled.Message, StringComparison.Ordinal);
        foreach (var provider in ExecutionProvider.All)
            Assert.Throws<DeviceNotAvailableException>(
                () => Load(Device.Custom(options => provider.AppendBuiltIn(options, provider.Default))));
    }

    [Fact]
    public void Load_CustomProvider_IsUsed()
    {
        var device = Device.Custom(options => options.AppendExecutionProvider_CPU());
        using var scorer = OnnxScorer.Load(Negation(), new OnnxScorerOptions { Device = device });
        Assert.Equal(DeviceKind.Custom, scorer.Device.Kind);
        var result = new float[2];
        scorer.Score([1, 2], result);
        Assert.Equal([-1f, -2f], result);
    }

    // A provider that is there and fails when the session is made, as CUDA does without a driver.
    [Fact]
    public void Load_DeviceFailsWithTheModel_IsNotTheModelsFault()
    {
        var failing = Device.Custom(
            options => options.OptimizedModelFilePath = Path.Combine(AppContext.BaseDirectory, "no such folder", "model.onnx"));
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(failing));
        Assert.Contains("(2) loading the model on custom: ", exception.Message, StringComparison.Ordinal);
        Assert.IsType<OnnxRuntimeException>(exception.InnerException);
        using var fallen = Load(failing.OrCpu());
        Assert.Equal(Device.Cpu, fallen.Device);
        Assert.True(fallen.DeviceReport.IsSurprising);
    }

    [Fact]
    public void Load_ModelFailsOnEveryDevice_IsTheModelsFault()
    {
        var nodes = new GraphBuilder("odd");
        nodes.Output("y", nodes.Node("NoSuchOperator", [nodes.Input("x", DataType.Float, "N")]), DataType.Float, "N");
        Assert.Throws<InvalidModelException>(() => Load(Device.Custom(_ => { }), nodes.Build()));
    }

    [CudaPackageFact]
    public void Load_RealCudaLibraryWithoutADriver_SaysWhatItMisses()
    {
        var device = Device.Cuda(new CudaOptions { Library = CudaPackage.Library });
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Load(device));
        output.WriteLine(exception.Message);
        var attempt = Assert.Single(exception.Attempts);
        Assert.True(attempt.Found);
        Assert.Equal($"the provider library {CudaPackage.Library}", attempt.What);
        if (OperatingSystem.IsLinux())
            Assert.Matches(@": lib\S+: cannot open .* \(all that it misses: .*libcuda\.so\.1 \(the NVIDIA driver\)\)$", attempt.Answer);
        Assert.DoesNotContain('\n', exception.Message);
        using var fallen = Load(device.OrCpu());
        Assert.True(fallen.DeviceReport.IsSurprising);
        Assert.Equal(
            [-1f, -2f], (float[])fallen.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, 2f], 1, 2) })["y"].Data);
    }

    [Fact]
    public void Survey_FindsTheCpuAndSaysWhatTheOthersNeed()
    {
        var survey = DeviceSurvey.Take();
        Assert.Contains("CPUExecutionProvider", survey.Providers);
        Assert.Contains(survey.Hardware, hardware => hardware.StartsWith("CPU", StringComparison.Ordinal));
        Assert.Equal(
            [DeviceKind.Cpu, DeviceKind.Cuda, DeviceKind.TensorRt, DeviceKind.DirectMl, DeviceKind.CoreMl, DeviceKind.OpenVino],
            survey.Devices.Select(status => status.Device.Kind));
        Assert.True(survey.Devices[0].IsAvailable);
        Assert.All(survey.Devices.Where(status => !status.IsAvailable), status =>
        {
            Assert.NotEmpty(status.Attempts);
            Assert.NotEmpty(status.Install);
        });
    }
}

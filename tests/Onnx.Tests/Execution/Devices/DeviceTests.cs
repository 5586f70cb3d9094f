
namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class DeviceTests
{
    [Theory]
    [InlineData("auto", "auto")]
    [InlineData("CPU", "cpu")]
    [InlineData("cuda", "cuda:0")]
    [InlineData("Cuda:3", "cuda:3")]
    [InlineData("cuda:3,CPU", "cuda:3,cpu")]
    [InlineData("tensorrt:1", "tensorrt:1")]
    [InlineData("directml", "directml:0")]
    [InlineData("coreml", "coreml")]
    [InlineData("openvino", "openvino:CPU")]
    [InlineData("openvino:auto:gpu,cpu", "openvino:AUTO:GPU,cpu")]
    [InlineData("openvino:gpu.1", "openvino:GPU.1")]
    public void Parse_Device_RoundTrips(string text, string expected)
    {
        var device = Device.Parse(text);
        Assert.Equal(expected, device.ToString());
        Assert.Equal(device, Device.Parse(device.ToString()));
        Assert.True(Device.TryParse(text, out var parsed));
        Assert.Equal(device, parsed);
        Assert.Equal(device.GetHashCode(), Device.Parse(device.ToString()).GetHashCode());
    }

    [Theory]
    [InlineData("")]
    [InlineData("tpu")]
    [InlineData("cpu:1")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:")]
    [InlineData("cuda:x")]
    [InlineData("coreml:1")]
    [InlineData("openvino:")]
    [InlineData("custom")]
    [InlineData(",cpu")]
    public void Parse_NotADevice_SaysWhatIs(string text)
    {
        Assert.Contains(
            "use auto, cpu, cuda or cuda:N, tensorrt or tensorrt:N, directml or directml:N, coreml, openvino or openvino:GPU",
            Assert.Throws<FormatException>(() => Device.Parse(text)).Message,
            StringComparison.Ordinal);
        Assert.False(Device.TryParse(text, out _));
    }

    // The names are those of ONNX Runtime's pages on its execution providers.
    public static TheoryData<Device, string> Mappings => new()
    {
        { Device.Cpu, "" },
        { Device.Cuda(), "device_id=0 use_tf32=0" },
        {
            Device.Cuda(new CudaOptions { Index = 2, MemoryLimit = 1 << 30, Graph = true, TensorFloat32 = true }),
            "device_id=2 enable_cuda_graph=1 gpu_mem_limit=1073741824 use_tf32=1"
        },
        {
            Device.Cuda(new CudaOptions { More = new Dictionary<string, string> { ["use_tf32"] = "1", ["prefer_nhwc"] = "1" } }),
            "device_id=0 prefer_nhwc=1 use_tf32=1"
        },
        {
            Device.TensorRt(new TensorRtOptions { Index = 1, Half = true, EngineCache = "/cache", MemoryLimit = 7 }),
            "device_id=1 trt_engine_cache_enable=1 trt_engine_cache_path=/cache trt_fp16_enable=1 trt_max_workspace_size=7"
        },
        { Device.DirectMl(3), "device_id=3" },
        { Device.CoreMl("CPUAndGPU"), "MLComputeUnits=CPUAndGPU ModelFormat=MLProgram" },
        { Device.OpenVino("NPU", options: new Dictionary<string, string> { ["cache_dir"] = "c" }), "cache_dir=c device_type=NPU" },
    };

    [Theory]
    [MemberData(nameof(Mappings))]
    public void Options_AreThoseOfTheProvider(Device device, string expected) =>
        Assert.Equal(
            expected,
            string.Join(' ', device.Options.Select(option => $"{option.Key}={option.Value}").Order(StringComparer.Ordinal)));

    [Fact]
    public void Equals_OtherOptions_AreAnotherDevice()
    {
        var options = new CudaOptions { Index = 1, MemoryLimit = 5 };
        Assert.Equal(Device.Cuda(options), Device.Cuda(options with { }));
        Assert.NotEqual(Device.Cuda(options), Device.Cuda(options with { MemoryLimit = 6 }));
        Assert.NotEqual(Device.Cuda(1), Device.Cuda(1).OrCpu());
        Assert.NotEqual(Device.Cuda(1), Device.Cuda(new CudaOptions { Index = 1, Library = "/lib" }));
    }

    [Fact]
    public void Cuda_BadArguments_Throw()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Cuda(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Cuda(new CudaOptions { MemoryLimit = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.TensorRt(-1));
        Assert.Throws<ArgumentException>(() => Device.OpenVino(" "));
        Assert.Throws<ArgumentNullException>(() => Device.Custom(null!));
    }
}

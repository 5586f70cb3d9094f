using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

public sealed class DeviceTests
{
    [Theory]
    [InlineData("auto", "auto")]
    [InlineData("CPU", "cpu")]
    [InlineData("cuda", "cuda:0")]
    [InlineData("Cuda:3", "cuda:3")]
    public void Parse_Device_RoundTrips(string text, string expected)
    {
        var device = Device.Parse(text);
        Assert.Equal(expected, device.ToString());
        Assert.Equal(device, Device.Parse(device.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("tpu")]
    [InlineData("cpu:1")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:")]
    [InlineData("cuda:x")]
    public void Parse_NotADevice_SaysWhatIs(string text) =>
        Assert.Contains("use auto, cpu, cuda or cuda:N", Assert.Throws<FormatException>(() => Device.Parse(text)).Message, StringComparison.Ordinal);
}

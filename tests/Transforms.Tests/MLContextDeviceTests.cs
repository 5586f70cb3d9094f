using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class MLContextDeviceTests
{
    [Fact]
    public void Device_NoGpuNumber_IsTheCpu() => Assert.Equal(Device.Cpu, new MLContext().Device());

    [Fact]
    public void Device_GpuNumber_IsStrictUnlessTheContextFallsBack()
    {
        Assert.Equal(Device.Cuda(2), new MLContext { GpuDeviceId = 2, FallbackToCpu = false }.Device());
        Assert.Equal(Device.Cuda(2).OrCpu(), new MLContext { GpuDeviceId = 2, FallbackToCpu = true }.Device());
    }

    [Fact]
    public void Fit_GpuThatIsNotThere_FallsBackOrFailsAsTheContextSays()
    {
        var ml = new MLContext { GpuDeviceId = 77, FallbackToCpu = true };
        var data = ml.Data.LoadFromEnumerable(Moons.Create(60));
        var options = new BatchNormNetworkOptions { HiddenLayers = [4], Epochs = 1, Device = ml.Device() };
        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data);
        Assert.Equal(Device.Cpu, model.Scorer.ActualDevice);
        Assert.True(model.Scorer.DeviceReport.IsSurprising);
        ml.FallbackToCpu = false;
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => ml.BinaryClassification.Trainers.BatchNormNetwork(options with { Device = ml.Device() }).Fit(data));
        Assert.Contains("cuda:77", exception.Message, StringComparison.Ordinal);
    }
}

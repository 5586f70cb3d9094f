using Microsoft.ML;
using MlNetBatchNorm.Transforms.Interop;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>What comes from the context whose catalog a trainer or a transform is made in, as with ML.NET's own.</summary>
public sealed class ContextTests
{
    private static readonly BatchNormNetworkOptions Quick = new() { Preset = Preset.Fast, HiddenLayers = [4], Epochs = 1 };

    [Fact]
    public void EnvironmentOf_EachCatalog_IsTheContextsOwn()
    {
        var ml = new MLContext(seed: 1);
        object[] catalogs =
        [
            ml.BinaryClassification.Trainers, ml.MulticlassClassification.Trainers, ml.Regression.Trainers, ml.Transforms, ml.Model,
        ];
        var environments = Array.ConvertAll(catalogs, MlNetInternals.EnvironmentOf);
        Assert.NotNull(environments[0]);
        Assert.All(environments, environment => Assert.Same(environments[0], environment));
    }

    [Fact]
    public void EnvironmentOf_SomethingElse_IsNone() => Assert.Null(MlNetInternals.EnvironmentOf(new object()));

    [Fact]
    public void GpuOf_Context_IsTheGpuThatItNamesAtThatMoment()
    {
        var ml = new MLContext();
        var environment = MlNetInternals.EnvironmentOf(ml.Regression.Trainers);
        Assert.Null(MlNetInternals.GpuOf(environment));
        (ml.GpuDeviceId, ml.FallbackToCpu) = (2, false);
        Assert.Equal(Device.Cuda(2), MlNetInternals.GpuOf(environment));
        ml.FallbackToCpu = true;
        Assert.Equal(Device.Cuda(2).OrCpu(), MlNetInternals.GpuOf(environment));
        Assert.Null(MlNetInternals.GpuOf(null));
    }

    [Fact]
    public void Fit_GpuThatIsNotThere_FallsBackOrFailsAsTheContextSays()
    {
        var ml = new MLContext { GpuDeviceId = 77, FallbackToCpu = true };
        var data = ml.Data.LoadFromEnumerable(Moons.Create(60));
        var log = new List<string>();
        ml.Log += (_, message) => log.Add($"{message.Kind}: {message.RawMessage}");
        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(data);
        Assert.Equal(Device.Cpu, model.Scorer.Device);
        Assert.True(model.DeviceReport.IsSurprising);
        Assert.Single(
            log, line => line.StartsWith("Warning: ", StringComparison.Ordinal) && line.Contains("cuda:77", StringComparison.Ordinal));
        ml.FallbackToCpu = false;
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(data));
        Assert.Contains("cuda:77", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_DeviceOfTheOptions_GoesBeforeTheContexts()
    {
        var ml = new MLContext { GpuDeviceId = 77, FallbackToCpu = false };
        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Device = Device.Cpu })
            .Fit(ml.Data.LoadFromEnumerable(Moons.Create(60)));
        Assert.False(model.DeviceReport.IsSurprising);
    }

    [Fact]
    public void ApplyOnnxModelBatched_GpuThatIsNotThere_FallsBackOrFailsAsSaid()
    {
        var ml = new MLContext { GpuDeviceId = 77, FallbackToCpu = false };
        var bytes = Scoring.OnnxModels.SumAndTwice(3);
        Assert.Throws<DeviceNotAvailableException>(() => ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(bytes)));
        ml.FallbackToCpu = true;
        Assert.NotNull(ml.Transforms.ApplyOnnxModelBatched(new MemoryStream(bytes)));
        Assert.Throws<DeviceNotAvailableException>(
            () => ml.Transforms.ApplyOnnxModelBatched(["sum"], ["x"], new MemoryStream(bytes), gpuDeviceId: 78, fallbackToCpu: false));
    }

    [Fact]
    public void Fit_SeedLeftOpen_ComesFromTheContextWhenTheTrainerIsMade()
    {
        var first = FirstWeights(5);
        Assert.Equal(first, FirstWeights(5));
        Assert.NotEqual(first, FirstWeights(6));
        Assert.Equal(FirstWeights(5, seed: 9), FirstWeights(6, seed: 9));

        static float[] FirstWeights(int contextSeed, int? seed = null)
        {
            var ml = new MLContext(contextSeed);
            using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Seed = seed, Device = Device.Cpu })
                .Fit(ml.Data.LoadFromEnumerable(Moons.Create(100)));
            return model.Model.ParameterArrays["dense1.weight"];
        }
    }
}

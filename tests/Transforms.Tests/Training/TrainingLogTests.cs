using Microsoft.ML;
using Microsoft.ML.Runtime;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class TrainingLogTests
{
    private static readonly BatchNormNetworkOptions Quick = new() { HiddenLayers = [8], Epochs = 3, Patience = 0, Device = Device.Cpu };

    private readonly MLContext _ml = new(seed: 1);
    private readonly List<LoggingEventArgs> _messages = [];

    public TrainingLogTests() => _ml.Log += (_, message) => _messages.Add(message);

    [Theory]
    [InlineData(TaskKind.Binary)]
    [InlineData(TaskKind.Multiclass)]
    [InlineData(TaskKind.Regression)]
    public void Fit_ContextGiven_LogsALineForEachEpochAndTheDevices(TaskKind task)
    {
        using var model = Fit(task, Quick with { Context = _ml });
        var lines = Lines(ChannelMessageKind.Info);
        Assert.Equal(5, lines.Length);
        var parameters = model.Network.Network.ParameterCount;
        Assert.Equal($"training {parameters} parameters on 200 rows of 2 features; device asked for: cpu", lines[0]);
        Assert.Equal(model.Network.History.Select(report => report.ToString()), lines[1..4]);
        Assert.StartsWith($"kept epoch {model.Network.Best.Epoch} of 3; trained on cpu, scoring on cpu; ", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NoContext_LogsNothing()
    {
        using var model = Fit(TaskKind.Binary, Quick);
        Assert.Empty(Own());
    }

    [Fact]
    public void Fit_Warnings_AreLoggedAndHandedOver()
    {
        var handed = new List<TrainingWarning>();
        using var model = Fit(TaskKind.Binary, Quick with { Context = _ml, BatchSize = 4, Warning = handed.Add });
        Assert.NotEmpty(handed);
        Assert.Equal(model.Network.Warnings, handed);
        Assert.Equal(handed.Select(warning => warning.Message), Lines(ChannelMessageKind.Warning));
    }

    [Fact]
    public void Fit_ContextAndProgress_BothHear()
    {
        var reports = new List<EpochReport>();
        using var model = Fit(TaskKind.Regression, Quick with { Context = _ml, Progress = reports.Add });
        Assert.Equal(model.Network.History, reports);
        Assert.Equal(3, Lines(ChannelMessageKind.Info).Count(line => line.StartsWith("epoch ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Fit_SeedLeftOpen_ComesFromTheContext()
    {
        var first = FirstWeights(new MLContext(seed: 5), seed: null);
        Assert.Equal(first, FirstWeights(new MLContext(seed: 5), seed: null));
        Assert.NotEqual(first, FirstWeights(new MLContext(seed: 6), seed: null));
        Assert.Equal(FirstWeights(new MLContext(seed: 5), seed: 9), FirstWeights(new MLContext(seed: 6), seed: 9));
        Assert.Equal(FirstWeights(context: null, seed: 0), FirstWeights(context: null, seed: null));
    }

    [Fact]
    public void Fit_Twice_GivesTheSameNetwork()
    {
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Context = _ml });
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(100));
        using var first = trainer.Fit(data);
        using var second = trainer.Fit(data);
        Assert.Equal(first.Network.ParameterArrays["dense1.weight"], second.Network.ParameterArrays["dense1.weight"]);
    }

    private float[] FirstWeights(MLContext? context, int? seed)
    {
        using var model = Fit(TaskKind.Binary, Quick with { Context = context, Seed = seed, Epochs = 1 });
        return model.Network.ParameterArrays["dense1.weight"];
    }

    private BatchNormTransformer Fit(TaskKind task, BatchNormNetworkOptions options) => task switch
    {
        TaskKind.Binary => _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(200))),
        TaskKind.Regression => _ml.Regression.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Waves.Create(200))),
        _ => _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(options))
            .Fit(_ml.Data.LoadFromEnumerable(Clouds.Create(200))).LastTransformer,
    };

    private IEnumerable<LoggingEventArgs> Own() => _messages.Where(message => message.Source == "BatchNormNetwork; Training");

    private string[] Lines(ChannelMessageKind kind) => [.. Own().Where(message => message.Kind == kind).Select(message => message.RawMessage)];
}

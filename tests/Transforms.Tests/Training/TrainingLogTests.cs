using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class TrainingLogTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Preset = Preset.Fast,
        HiddenLayers = [8],
        Epochs = 3,
        EarlyStoppingPatience = 0,
        Device = Device.Cpu,
        Seed = 0,
    };

    private readonly MLContext _ml = new(seed: 1);
    private readonly List<LoggingEventArgs> _messages = [];

    public TrainingLogTests() => _ml.Log += (_, message) => _messages.Add(message);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Fit_EachTask_LogsALineForEachEpochAndTheDevices(LearningTask task)
    {
        using var model = Fit(task, Quick);
        var lines = Lines(ChannelMessageKind.Info);
        Assert.Equal(5, lines.Length);
        var parameters = model.Model.Network.ParameterCount;
        Assert.Equal("training on 200 rows of 2 features; device asked for: cpu", lines[0]);
        Assert.Equal(model.Model.History.Select(report => report.ToString()), lines[1..4]);
        Assert.StartsWith(
            $"kept epoch {model.Model.Best.Epoch} of 3 of a network with {parameters} parameters; trained on cpu, scoring on cpu; ",
            lines[4],
            StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_Warnings_AreLoggedAndHandedOver()
    {
        var handed = new List<TrainingWarning>();
        using var model = Fit(LearningTask.Binary, Quick with { BatchSize = 4, Warning = handed.Add });
        Assert.NotEmpty(handed);
        Assert.Equal(model.Model.Warnings, handed);
        Assert.Equal(handed.Select(warning => warning.Message), Lines(ChannelMessageKind.Warning));
    }

    [Fact]
    public void Fit_LogAndProgress_BothHear()
    {
        var reports = new List<EpochReport>();
        using var model = Fit(LearningTask.Regression, Quick with { Progress = reports.Add });
        Assert.Equal(model.Model.History, reports);
        Assert.Equal(3, Lines(ChannelMessageKind.Info).Count(line => line.StartsWith("epoch ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Fit_Twice_GivesTheSameNetwork()
    {
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick);
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(100));
        using var first = trainer.Fit(data);
        using var second = trainer.Fit(data);
        Assert.Equal(first.Model.Parameters["dense1.weight"], second.Model.Parameters["dense1.weight"]);
    }

    private BatchNormTransformer Fit(LearningTask task, BatchNormNetworkOptions options) => task switch
    {
        LearningTask.Binary =>
            _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(200))),
        LearningTask.Regression => _ml.Regression.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Waves.Create(200))),
        _ => _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(options))
            .Fit(_ml.Data.LoadFromEnumerable(Clouds.Create(200))).LastTransformer,
    };

    private IEnumerable<LoggingEventArgs> Own() => _messages.Where(message => message.Source == "BatchNormNetwork; Training");

    private string[] Lines(ChannelMessageKind kind) =>
        [.. Own().Where(message => message.Kind == kind).Select(message => message.RawMessage)];
}

using Microsoft.ML;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Transforms.Tests.Options;

/// <summary>The first layer of tables with very many columns and few rows; the bounds are worked out by hand.</summary>
public sealed class WideTableTests
{
    // 2^21 weights, or as many as the table has values, are 2^21 / (50,000 · 8) = 5 units for each of eight networks.
    [Theory]
    [InlineData(LearningTask.Binary, 16, 50_000, new[] { 5, 64 }, 60)]
    [InlineData(LearningTask.Multiclass, 16, 50_000, new[] { 5, 64 }, 60)]
    [InlineData(LearningTask.Regression, 16, 50_000, new[] { 5, 64 }, 60)]
    [InlineData(LearningTask.Binary, 160, 20_000, new[] { 20, 64 }, 150)]
    [InlineData(LearningTask.Binary, 100, 1_000_000, new[] { 12, 64 }, 112)]
    [InlineData(LearningTask.Binary, 8, 10_000_000, new[] { 4, 64 }, 60)]
    public void Complete_MoreWeightsThanValues_HasFewerUnitsAndEpochs(LearningTask task, int rows, int features, int[] layers, int epochs)
    {
        var options = NetworkTask.Of(task).Complete(new BatchNormNetworkOptions(), rows, features, out var wide);

        Assert.NotNull(wide);
        Assert.Equal(layers, options.HiddenLayers);
        Assert.Equal((8, epochs), (options.Members, options.Epochs));
        Assert.InRange(options.EarlyStoppingPatience!.Value, 8, epochs);
        Assert.Equal(task == LearningTask.Regression, options.EarlyStoppingPatience == epochs);
    }

    // The tables of docs/defaults.md and docs/mlnet.md, the widest of them, and as many weights as are free.
    [Theory]
    [InlineData(LearningTask.Regression, 300, 320)]
    [InlineData(LearningTask.Binary, 3200, 4_100)]
    [InlineData(LearningTask.Binary, 4_000, 308_526)]
    [InlineData(LearningTask.Multiclass, 16_000, 784)]
    [InlineData(LearningTask.Binary, 20, 4_096)]
    [InlineData(LearningTask.Binary, 512, 50_000)]
    public void Complete_OtherTables_AreAsThePresetSays(LearningTask task, int rows, int features)
    {
        var options = NetworkTask.Of(task).Complete(new BatchNormNetworkOptions(), rows, features, out var wide);

        Assert.Null(wide);
        var usual = NetworkTask.Of(task).Defaults(Preset.Accurate, rows);
        Assert.Equal(usual.HiddenLayers, options.HiddenLayers);
        Assert.Equal((usual.Epochs, usual.EarlyStoppingPatience), (options.Epochs, options.EarlyStoppingPatience));
    }

    [Fact]
    public void Complete_WideTableAndOptionsGiven_AreAsGiven()
    {
        var task = NetworkTask.Of(LearningTask.Binary);
        var layers = task.Complete(new BatchNormNetworkOptions { HiddenLayers = [64, 64] }, 16, 50_000, out var wide);
        var epochs = task.Complete(new BatchNormNetworkOptions { Epochs = 300 }, 16, 50_000, out _);
        var one = task.Complete(new BatchNormNetworkOptions { Members = 1 }, 16, 50_000, out _);
        var fast = task.Complete(new BatchNormNetworkOptions { Preset = Preset.Fast }, 16, 50_000, out _);

        Assert.Null(wide);
        Assert.Equal([64, 64], layers.HiddenLayers);
        Assert.Equal(600, layers.Epochs);
        Assert.Equal([5, 64], epochs.HiddenLayers);
        Assert.Equal(300, epochs.Epochs);
        Assert.Equal([41, 64], one.HiddenLayers);
        Assert.Equal([41, 32], fast.HiddenLayers);
        Assert.Equal(30, fast.Epochs);
    }

    [Fact]
    public void Fit_WideTable_SaysWhatItChoseAndWhatHasTheOther()
    {
        var (ml, random, told) = (new MLContext(seed: 1), new Random(1), new List<TrainingWarning>());
        var rows = ml.Data.LoadFromEnumerable(
            Enumerable.Range(0, 16).Select(row => new Row { Label = row % 2 == 0, Features = Values(random) }));

        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(
            new BatchNormNetworkOptions { Epochs = 1, Device = Device.Cpu, Warning = told.Add }).Fit(rows);

        var note = Assert.Single(told, warning => warning.Kind == TrainingWarningKind.NarrowFirstLayer);
        Assert.StartsWith("the first layer has 52 units for each of 8 networks, not 64, ", note.Message, StringComparison.Ordinal);
        Assert.Contains("of 5,000 features it would have 2,560,000 weights", note.Message, StringComparison.Ordinal);
        Assert.Contains("80,000 values in 16 rows (--hidden 64,64, in the library HiddenLayers", note.Message, StringComparison.Ordinal);
        Assert.Contains(model.Model.Network.Parameters, parameter => parameter.Shape.SequenceEqual([5000L, 8 * 52]));
    }

    private static float[] Values(Random random) => [.. Enumerable.Range(0, Row.Width).Select(_ => random.NextSingle())];

    private sealed class Row
    {
        public const int Width = 5000;

        public bool Label { get; set; }

        [Microsoft.ML.Data.VectorType(Width)]
        public float[] Features { get; set; } = [];
    }
}

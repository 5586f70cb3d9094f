using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Options;

public sealed class PresetTests
{
    private static readonly BatchNormNetworkOptions Left = new() { Epochs = 2, Device = Device.Cpu, Seed = 0 };

    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Fit_NothingSaid_IsAnEnsembleThatFoldsAndHasSeenNoRowItIsMeasuredOn(LearningTask task)
    {
        using var model = Fit(task, Left);

        var network = model.Model;
        Assert.Equal(["numbers", "members"], network.Network.Sites.Select(site => site.Layer.Kind));
        Assert.Equal(8, network.Network.MemberCount);
        Assert.Equal(200, network.OutOfFold!.Rows.Count);
        Assert.True(network.Best.Validation!.IsOutOfFold);
        Assert.Equal(2, model.Export.Unfolded.BatchNormCount);
        Assert.Equal(0, model.Export.Folded.BatchNormCount);
        Assert.DoesNotContain(network.Warnings, warning => warning.Kind == TrainingWarningKind.DropoutBeforeBatchNorm);
    }

    [Theory]
    [InlineData(LearningTask.Binary, "dense, batchnorm, sigmoid, dense, batchnorm, sigmoid, dense")]
    [InlineData(LearningTask.Multiclass, "dense, batchnorm, relu, dense, batchnorm, relu, dense")]
    [InlineData(LearningTask.Regression, "dense, batchnorm, relu, dense, batchnorm, relu, dropout, dense")]
    public void Fit_Fast_IsOneSmallNetwork(LearningTask task, string layers)
    {
        using var model = Fit(task, Left with { Preset = Preset.Fast });

        Assert.Equal(layers, string.Join(", ", model.Model.Network.Layers.Select(layer => layer.Kind)));
        Assert.Null(model.Model.OutOfFold);
    }

    [Fact]
    public void Fit_OneOptionGiven_LeavesTheOthersToThePreset()
    {
        using var alone = Fit(LearningTask.Regression, Left with { Members = 1 });
        using var plain = Fit(LearningTask.Regression, Left with { NumericEncoding = NumericEncoding.Standardize });
        using var open = Fit(LearningTask.Regression, Left with { TargetTransform = TargetTransform.None });
        using var rows = Fit(LearningTask.Binary, Left with { Normalization = Normalization.Layer() });

        Assert.Equal("numbers, dense, batchnorm, silu, dropout, dense, batchnorm, silu, dropout, dense", Kinds(alone));
        Assert.Null(alone.Model.OutOfFold);
        Assert.Equal(["members"], plain.Model.Network.Sites.Select(site => site.Layer.Kind));
        Assert.DoesNotContain(open.Export.Folded.Proto.Graph.Node, node => node.OpType == "Clip" && node.Output[0] == "Score");
        Assert.Equal("numbers, dense, layernorm, silu, dropout, dense, layernorm, silu, dropout, dense", Kinds(rows));

        static string Kinds(BatchNormTransformer model) => string.Join(", ", model.Model.Network.Layers.Select(layer => layer.Kind));
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Fit_SharedWeightsWavesAndAverages_FoldAndAreMeasuredOnRowsHeldOut(LearningTask task)
    {
        using var model = Fit(
            task, Left with { SharedWeights = true, NumericEncoding = NumericEncoding.Periodic(4), WeightAveraging = 0.9f });
        using var apart = Fit(task, Left with { NumericEncoding = NumericEncoding.Periodic(4) });

        var network = model.Model;
        Assert.Equal(["numbers", "periodic", "members"], network.Network.Sites.Select(site => site.Layer.Kind));
        Assert.Null(network.OutOfFold);
        Assert.NotNull(network.Best.Validation);
        Assert.Equal((2, 0), (model.Export.Unfolded.BatchNormCount, model.Export.Folded.BatchNormCount));
        Assert.True(network.Network.ParameterCount < apart.Model.Network.ParameterCount / 3);
        Assert.NotNull(apart.Model.OutOfFold);
        Assert.Equal((2, 0), (apart.Export.Unfolded.BatchNormCount, apart.Export.Folded.BatchNormCount));
    }

    [Fact]
    public void Fit_SharedWeightsOfNobody_AreRefused() => Assert.Contains(
        "there is one network only",
        Assert.Throws<ArgumentException>(() => _ml.Regression.Trainers.BatchNormNetwork(
            new BatchNormNetworkOptions { Preset = Preset.Fast, SharedWeights = true })).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Fit_MembersBesideANetworkOfOnesOwn_IsRefused() => Assert.Contains(
        "Members would have no effect",
        Assert.Throws<ArgumentException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork(
            new BatchNormNetworkOptions { Network = Network.Input(2).Dense(1), Members = 4 })).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(1025)]
    public void Fit_MembersOutOfRange_AreRefused(int members) => Assert.Contains(
        "from 1 to 1024 members",
        Assert.Throws<ArgumentOutOfRangeException>(
            () => _ml.Regression.Trainers.BatchNormNetwork(new BatchNormNetworkOptions { Members = members })).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Fit_StoppedAndResumed_GivesTheSameBits(LearningTask task)
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var options = Left with { Epochs = 4 };
            using var whole = Fit(task, options);
            var kept = options with { Checkpoint = new CheckpointOptions(Path.Combine(folder.FullName, "ensemble.checkpoint")) };
            var stop = kept with
            {
                Progress = report =>
                {
                    if (report.Epoch == 2) throw new OperationCanceledException();
                },
            };
            Assert.Throws<OperationCanceledException>(() => Fit(task, stop).Dispose());

            using var resumed = Fit(task, kept);

            foreach (var (name, values) in whole.Model.ParameterArrays) Assert.Equal(values, resumed.Model.ParameterArrays[name]);
            Assert.Equal(whole.Model.Temperature, resumed.Model.Temperature);
            Assert.Equal(whole.Model.OutOfFold!.Predictions, resumed.Model.OutOfFold!.Predictions);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void SaveAndLoad_NothingSaid_PredictsTheSame(LearningTask task)
    {
        using var model = Fit(task, Left);
        var data = Data(task);
        var expected = Scores(model.Transform(data));
        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);

        stream.Position = 0;
        Near(expected, Scores(_ml.Model.Load(stream, out _).Transform(data)));
        stream.Position = 0;
        var batched = _ml.Model.LoadBatched(stream, out _);
        Near(expected, Scores(batched.Transform(data)));
        (batched as IDisposable)?.Dispose();
    }

    [Theory]
    [InlineData(ModelPrecision.Float16)]
    [InlineData(ModelPrecision.Float16Arithmetic)]
    [InlineData(ModelPrecision.Int8)]
    public void Fit_FewerBits_PredictsNearlyTheSame(ModelPrecision precision)
    {
        using var full = Fit(LearningTask.Binary, Left);
        using var model = Fit(LearningTask.Binary, Left with { Precision = precision, AllowedMetricLoss = 1 });
        var data = Data(LearningTask.Binary);

        Assert.Contains(model.Export.Reduced!.Check.Result.Outcomes, outcome => outcome.IsReduced);
        var (expected, scores) = (Scores(full.Transform(data)), Scores(model.Transform(data)));
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], scores[i], 0.1f * scale);
    }

    private BatchNormTransformer Fit(LearningTask task, BatchNormNetworkOptions options) => task switch
    {
        LearningTask.Binary => _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(Data(task)),
        LearningTask.Multiclass =>
            _ml.MulticlassClassification.Trainers.BatchNormNetwork(options with { LabelColumnName = "Class" }).Fit(Data(task)),
        _ => _ml.Regression.Trainers.BatchNormNetwork(options).Fit(Data(task)),
    };

    private IDataView Data(LearningTask task) => task switch
    {
        LearningTask.Binary => _ml.Data.LoadFromEnumerable(Moons.Create(200)),
        LearningTask.Multiclass => Classes(_ml.Data.LoadFromEnumerable(Clouds.Create(200))),
        _ => _ml.Data.LoadFromEnumerable(Waves.Create(200)),
    };

    private IDataView Classes(IDataView rows) => _ml.Transforms.Conversion.MapValueToKey("Class", "Label").Fit(rows).Transform(rows);

    private static float[] Scores(IDataView rows) => rows.Schema["Score"].Type is VectorDataViewType
        ? [.. rows.GetColumn<float[]>("Score").SelectMany(row => row)]
        : [.. rows.GetColumn<float>("Score")];

    private static void Near(float[] expected, float[] actual)
    {
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5f * scale);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>What the options choose reaches the training, and what contradicts itself is said.</summary>
public sealed class BatchNormNetworkOptionsTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Preset = Preset.Fast,
        HiddenLayers = [16],
        BatchSize = 32,
        Epochs = 3,
        Device = Device.Cpu,
        Seed = 0,
    };

    private static readonly BatchNormNetworkOptions Images = new()
    {
        Preset = Preset.Fast,
        Seed = 0,
        FeatureColumnName = nameof(Stripes.Row.Pixels),
        Network = Network.Parse(
            "conv2d 6 3; batchnorm; relu; residual; conv2d 6 3; batchnorm zerogamma=yes; end; maxpool 2; flatten; dense 1", 1, Stripes.Size,
            Stripes.Size),
        BatchSize = 32,
        Epochs = 12,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_NetworkOfImages_TakesTheVectorInItsShapeAndSaves()
    {
        var data = _ml.Data.LoadFromEnumerable(Stripes.Create(300));
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Images).Fit(data);
        var test = _ml.Data.LoadFromEnumerable(Stripes.Create(100, seed: 2));
        Assert.True(_ml.BinaryClassification.Evaluate(model.Transform(test)).Accuracy > 0.9);
        var scores = model.Transform(test).GetColumn<float>("Score").ToArray();
        var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out _);
        Assert.Equal(scores, loaded.Transform(test).GetColumn<float>("Score").ToArray(), (a, b) => Math.Abs(a - b) <= 1e-5);
        Assert.DoesNotContain(model.Export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
    }

    [Fact]
    public void Fit_ColumnOfImages_TakesItsDimensionsOrSaysThatTheyDiffer()
    {
        var quick = Images with { Epochs = 1 };
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(quick).Fit(WithDimensions(1, Stripes.Size, Stripes.Size));
        Assert.Equal([1, Stripes.Size, Stripes.Size], model.Scorer.RowShape);
        var message = Assert.Throws<ArgumentException>(
            () => _ml.BinaryClassification.Trainers.BatchNormNetwork(quick).Fit(WithDimensions(Stripes.Size, Stripes.Size, 1))).Message;
        Assert.Contains("shape [1, 6, 6], but the column 'Pixels' has the dimensions [6, 6, 1]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NetworkOfAnotherSize_SaysBothSizes()
    {
        var options = Images with { Network = Network.Input(1, 6, 7).Flatten().Dense(1) };
        var message = Assert.Throws<ArgumentException>(
            () => _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Stripes.Create(10)))).Message;
        Assert.Contains("shape [1, 6, 7], which are 42 values, but the column 'Pixels' has 36", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NetworkBesideHiddenLayers_IsAnError() =>
        Assert.Contains(
            "HiddenLayers would have no effect", Rejected(Quick with { Network = Network.Input(2).Dense(1) }), StringComparison.Ordinal);

    [Fact]
    public void Fit_LossOfAnotherTask_IsAnError() =>
        Assert.Contains(
            "one for numbers, which the task binary does not predict", Rejected(Quick with { Loss = Loss.Huber() }),
            StringComparison.Ordinal);

    [Fact]
    public void Fit_UnknownClassWeight_IsAnError() => Assert.Contains(
        "the class 'yes', but the classes are false, true", Rejected(Quick with { ClassWeights = ClassWeights.Parse("yes=2") }),
        StringComparison.Ordinal);

    [Fact]
    public void Fit_OpsetThatThereIsNot_IsAnError() =>
        Assert.Contains("9 to 21", Rejected(Quick with { Opset = 8 }), StringComparison.Ordinal);

    [Fact]
    public void Fit_OneRowInAMiniBatch_IsAnError() =>
        Assert.Contains("at least 2 rows", Rejected(Quick with { BatchSize = 1 }), StringComparison.Ordinal);

    public static TheoryData<BatchNormNetworkOptions, string> OutOfRange => new()
    {
        { new() { Epochs = -1 }, "Epochs" },
        { new() { BatchSize = 0 }, "BatchSize" },
        { new() { ValidationFraction = 1 }, "ValidationFraction" },
        { new() { HiddenLayers = [16, 0] }, "0" },
        { new() { Dropout = 1 }, "dropout" },
        { new() { Opset = 8 }, "Opset" },
        { new() { AllowedMetricLoss = double.NaN }, "AllowedMetricLoss" },
        { new() { Loss = Loss.Huber() }, "numbers" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Trainer_OptionOutOfRange_IsRejectedWhenItIsMade(BatchNormNetworkOptions options, string expected)
    {
        var exception = Assert.ThrowsAny<ArgumentException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork(options));
        Assert.Contains(expected, exception.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Trainer_ListChangedAfterwards_KeepsItsCopy()
    {
        var units = new List<int> { 16 };
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { HiddenLayers = units, Epochs = 1 });
        units[0] = 3;
        using var model = trainer.Fit(_ml.Data.LoadFromEnumerable(Moons.Create(100)));
        Assert.Equal(2 * 16, model.Model.Parameters["dense1.weight"].Length);
    }

    [Fact]
    public void Trainer_ShortOverload_SetsWhatItSays()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(100));
        using var brief = new MLContext(2).BinaryClassification.Trainers
            .BatchNormNetwork(hiddenLayers: [8], epochs: 2, batchSize: 16, learningRate: 1e-2, dropout: 0.1).Fit(data);
        var options = new BatchNormNetworkOptions
        {
            HiddenLayers = [8],
            Epochs = 2,
            BatchSize = 16,
            Optimizer = Optimizer.AdamW(1e-2f),
            Dropout = 0.1f,
        };
        using var whole = new MLContext(2).BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data);
        foreach (var (name, values) in whole.Model.Parameters) Assert.Equal(values, brief.Model.Parameters[name]);
    }

    [Fact]
    public void Fit_ValidationSetOfTheOptions_IsMeasuredAsThatOfFit()
    {
        var validation = _ml.Data.LoadFromEnumerable(Moons.Create(80, seed: 4));
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(200));
        var options = Quick with { Seed = 1 };
        using var inOptions = _ml.BinaryClassification.Trainers.BatchNormNetwork(options with { ValidationSet = validation }).Fit(data);
        using var inFit = _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data, validation);
        using var neither = _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data);
        Assert.Equal(inFit.Model.Best.Validation!.Loss, inOptions.Model.Best.Validation!.Loss);
        Assert.NotEqual(neither.Model.Best.Validation!.Loss, inOptions.Model.Best.Validation!.Loss);
    }

    [Fact]
    public void Fit_Opset_IsTheExportsOne()
    {
        using var model = FitMoons(Quick with { Epochs = 1, Opset = 13 });
        Assert.Equal(13, model.Export.Folded.Proto.OpsetImport[0].Version);
    }

    [Fact]
    public void Fit_BalancedClassWeights_FindMoreOfTheRareClass()
    {
        var rows = Moons.Create(1200).Where((row, i) => !row.Label || i % 20 == 1).ToArray();
        var data = _ml.Data.LoadFromEnumerable(rows);
        Assert.True(Recall(ClassWeights.Balanced) > Recall(null) + 0.1);

        double Recall(ClassWeights? weights)
        {
            using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(
                Quick with { ClassWeights = weights, Epochs = 2 }).Fit(data);
            var found = model.Transform(data).GetColumn<bool>("PredictedLabel").ToArray();
            return rows.Select((row, i) => row.Label && found[i]).Count(hit => hit) / (double)rows.Count(row => row.Label);
        }
    }

    [Fact]
    public void Fit_LossesAndNormalization_AreThoseOfTheOptions()
    {
        var waves = _ml.Data.LoadFromEnumerable(Waves.Create(100));
        var options = Quick with
        {
            Epochs = 1,
            Loss = Loss.Huber(0.5f),
            Normalization = Normalization.Layer(),
            WeightInitializer = Initializer.Orthogonal(),
            Dropout = 0,
        };
        using var regression = _ml.Regression.Trainers.BatchNormNetwork(options).Fit(waves);
        Assert.Equal(Loss.Huber(0.5f), regression.Model.Loss);
        Assert.Equal(["dense", "layernorm", "relu", "dense"], regression.Model.Network.Sites.Select(site => site.Layer.Kind));
        Assert.All(
            regression.Model.Network.Sites.Select(site => site.Layer).OfType<DenseLayer>(),
            layer => Assert.Equal("orthogonal:1", layer.WeightInitializer!.ToString()));

        var clouds = _ml.Data.LoadFromEnumerable(Clouds.Create(100));
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(clouds).Transform(clouds);
        var smoothed = Quick with { Epochs = 1, Loss = Loss.SmoothedCrossEntropy(0.1f), ClassWeights = ClassWeights.Parse("red=0.5") };
        using var multiclass = _ml.MulticlassClassification.Trainers.BatchNormNetwork(smoothed).Fit(keyed);
        Assert.Equal("softmax cross-entropy", multiclass.Model.Loss.Kind);
        Assert.NotEqual(Loss.SmoothedCrossEntropy(0.1f), multiclass.Model.Loss);
    }

    [Fact]
    public void RecomputeStatistics_OtherRows_TakesTheirs()
    {
        using var model = FitMoons(Quick);
        var moved = Moons.Create(400, seed: 5);
        foreach (var row in moved) row.Features[0] += 5;
        var before = model.Model.Parameters["batchnorm1.mean"].ToArray();
        using var recomputed = model.RecomputeStatistics(_ml.Data.LoadFromEnumerable(moved));
        Assert.IsType<BatchNormBinaryTransformer>(recomputed);
        Assert.NotEqual(before, recomputed.Model.Parameters["batchnorm1.mean"]);
        Assert.Equal(before, model.Model.Parameters["batchnorm1.mean"]);
        Assert.Equal(model.Model.Parameters["dense1.weight"], recomputed.Model.Parameters["dense1.weight"]);

        // The normalized values are brought back to mean 0: what a fresh pass over the same rows gives again.
        var rows = new TrainingData(new SampleShape(2), 1, [.. moved.SelectMany(row => row.Features)], new float[moved.Length]);
        var expected = model.Model.RecomputeStatistics(rows).Parameters;
        Assert.Equal(expected["batchnorm1.mean"], recomputed.Model.Parameters["batchnorm1.mean"]);
        Assert.Equal(expected["batchnorm1.variance"], recomputed.Model.Parameters["batchnorm1.variance"]);
        Assert.Equal(model.Scorer.Metadata["mlnetbn.task"], recomputed.Scorer.Metadata["mlnetbn.task"]);
        Assert.Contains("population", recomputed.Scorer.Metadata["mlnetbn.statistics"], StringComparison.Ordinal);
    }

    [Fact]
    public void RecomputeStatistics_NetworkOfFewerBits_SaysWhatToDoInstead()
    {
        using var model = FitMoons(Quick with { HiddenLayers = [64, 64], Precision = ModelPrecision.Float16, AllowedMetricLoss = 0.1 });
        var error = Assert.Throws<NotSupportedException>(() => model.RecomputeStatistics(_ml.Data.LoadFromEnumerable(Moons.Create(50))));
        Assert.Contains("in float16 cannot be recomputed", error.Message, StringComparison.Ordinal);
        Assert.Contains("Train it in float32, recompute, and reduce", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_StoppedWithACheckpoint_GoesOnAndGivesTheSameNetwork()
    {
        var folder = Directory.CreateTempSubdirectory("fit-");
        try
        {
            using var stop = new CancellationTokenSource();
            var options = Quick with { Epochs = 5, Seed = 3 };
            var kept = options with { Checkpoint = new CheckpointOptions(Path.Combine(folder.FullName, "moons.checkpoint")) };
            Assert.Throws<OperationCanceledException>(
                () =>
                    FitMoons(kept with { CancellationToken = stop.Token, Progress = report => { if (report.Epoch == 2) stop.Cancel(); } }));
            Assert.Contains(
                "seed: 3 then, 4 now", Assert.Throws<InvalidDataException>(() => FitMoons(kept with { Seed = 4 })).Message,
                StringComparison.Ordinal);

            var epochs = new List<int>();
            using var resumed = FitMoons(kept with { Progress = report => epochs.Add(report.Epoch) });
            using var whole = FitMoons(options);

            Assert.Equal([3, 4, 5], epochs);
            Assert.Equal(whole.Onnx.ToBytes(), resumed.Onnx.ToBytes());
            Assert.Empty(folder.GetFiles());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Those of the network. What is warned of the rows, and of checkpoints, has tests of its own.
    public static TheoryData<TrainingWarningKind> Warnings =>
    [
        TrainingWarningKind.SmallBatch,
        TrainingWarningKind.DropoutBeforeBatchNorm,
        TrainingWarningKind.LastBatchStatistics,
        TrainingWarningKind.StatisticsFarFromPopulation,
    ];

    [Theory]
    [MemberData(nameof(Warnings))]
    public void Fit_EachWarning_IsPassedOn(TrainingWarningKind kind)
    {
        var seen = new List<TrainingWarning>();
        var options = kind switch
        {
            TrainingWarningKind.SmallBatch => Quick with { BatchSize = 4 },
            TrainingWarningKind.DropoutBeforeBatchNorm =>
                Quick with { HiddenLayers = null, Network = Network.Parse("dense 8; dropout 0.5; dense 8; batchnorm; relu; dense 1", 2) },
            TrainingWarningKind.LastBatchStatistics => Quick with { BatchNorm = new() { Statistics = RunningStatistics.PyTorch(1) } },
            _ => Quick with { BatchNorm = new() { Statistics = RunningStatistics.Keras(0.999f) } },
        };
        using var model = FitMoons(options with { Epochs = 1, Warning = seen.Add });
        Assert.Contains(seen, warning => warning.Kind == kind);
        Assert.Equal(seen, model.Model.Warnings);
    }

    private BatchNormBinaryTransformer FitMoons(BatchNormNetworkOptions options) =>
        _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(300)));

    private string Rejected(BatchNormNetworkOptions options) => Assert.ThrowsAny<ArgumentException>(() => FitMoons(options)).Message;

    private IDataView WithDimensions(params int[] dimensions)
    {
        var schema = SchemaDefinition.Create(typeof(Stripes.Row));
        schema[nameof(Stripes.Row.Pixels)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, dimensions);
        return _ml.Data.LoadFromEnumerable(Stripes.Create(60), schema);
    }
}

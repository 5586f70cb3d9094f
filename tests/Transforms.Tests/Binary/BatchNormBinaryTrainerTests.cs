using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class BatchNormBinaryTrainerTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Preset = Preset.Fast,
        Seed = 0,
        HiddenLayers = [16, 8],
        Activation = Activation.Relu,
        Epochs = 20,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_TwoMoons_SeparatesThem()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(600));
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(data);
        var test = _ml.Data.LoadFromEnumerable(Moons.Create(400, seed: 2));
        var metrics = _ml.BinaryClassification.Evaluate(model.Transform(test));
        Assert.True(metrics.AreaUnderRocCurve > 0.99, $"AUC {metrics.AreaUnderRocCurve}");
        Assert.True(metrics.Accuracy > 0.96, $"accuracy {metrics.Accuracy}");
        Assert.True(metrics.LogLoss < 0.2, $"log-loss {metrics.LogLoss}");
    }

    [Fact]
    public void Transform_AnyBatchPosition_GivesWhatTheScorerGives()
    {
        var rows = Moons.Create(300);
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(data);
        var scored = _ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), reuseRowObject: false).ToArray();
        var names = model.Transform(data).GetColumn<string>("Name").ToArray();
        Assert.Equal(rows.Length, scored.Length);
        var expected = new float[2];
        for (var i = 0; i < rows.Length; i++)
        {
            model.Scorer.Score(rows[i].Features, expected);
            Assert.Equal(expected[0], scored[i].Score, 1e-4f);
            Assert.Equal(expected[1], scored[i].Probability, 1e-5f);
            Assert.Equal(scored[i].Score > 0, scored[i].PredictedLabel);
            Assert.Equal(1 / (1 + Math.Exp(-scored[i].Score)), scored[i].Probability, 1e-5);
            Assert.Equal($"row {i}", names[i]);
        }
    }

    [Fact]
    public void GetOutputSchema_BeforeAndAfterFit_Agree()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(100));
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Epochs = 1 });
        SchemaShape? shape = null;
        var chain = _ml.Transforms.CopyColumns("Copy", "Name")
            .Append(new ShapeProbe<BatchNormBinaryTransformer>(trainer, seen => shape = seen));
        var output = chain.Fit(data).Transform(data).Schema;
        Assert.Equal(
            [
                ("Score", NumberDataViewType.Single), ("Probability", NumberDataViewType.Single),
                ("PredictedLabel", BooleanDataViewType.Instance),
            ],
            output.Skip(5).Select(column => (column.Name, (PrimitiveDataViewType)column.Type)));
        Assert.Equal(output.Select(column => column.Name), shape!.Select(column => column.Name));
        Assert.Equal(
            output.Skip(5).Select(column => column.Type),
            shape!.Skip(5).Select(column => column.ItemType));
        Assert.All(shape!.Skip(5), column => Assert.Equal(SchemaShape.Column.VectorKind.Scalar, column.Kind));
    }

    [Fact]
    public void Predict_SingleRows_EqualsTransform()
    {
        var rows = Moons.Create(200);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = _ml.Transforms.CopyColumns("Input", "Features")
            .Append(_ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { FeatureColumnName = "Input" }))
            .Fit(data);
        var all = _ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), reuseRowObject: false).ToArray();
        using var engine = _ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(model);
        for (var i = 0; i < rows.Length; i++)
            Assert.Equal(all[i].Probability, engine.Predict(rows[i]).Probability, 1e-5f);
    }

    [Fact]
    public void SaveAndLoad_InAChain_PredictsTheSame()
    {
        var rows = Moons.Create(200);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = _ml.Transforms.CopyColumns("My features", "Features")
            .Append(_ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { FeatureColumnName = "My features" }))
            .Fit(data);
        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = new MLContext().Model.Load(stream, out var schema);
        Assert.Equal(data.Schema.Select(column => column.Name), schema.Select(column => column.Name));
        var expected = _ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), reuseRowObject: false).ToArray();
        var actual = _ml.Data.CreateEnumerable<BinaryPrediction>(loaded.Transform(data), reuseRowObject: false).ToArray();
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Score, actual[i].Score, 1e-4f);
            Assert.Equal(expected[i].Probability, actual[i].Probability, 1e-6f);
            Assert.Equal(expected[i].PredictedLabel, actual[i].PredictedLabel);
        }

        Assert.Equal(
            model.GetOutputSchema(data.Schema).Select(column => column.Name),
            loaded.GetOutputSchema(data.Schema).Select(column => column.Name));
        using var engine = _ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(loaded, schema);
        Assert.Equal(expected[7].Probability, engine.Predict(rows[7]).Probability, 1e-6f);
    }

    [Fact]
    public void Fit_Weights_CountLikeRepeatedRows()
    {
        // A weight of 0 must make a row as good as absent: here it hides labels that are all wrong.
        var rows = Moons.Create(400);
        var wrong = Moons.Create(400, seed: 3);
        foreach (var row in wrong) (row.Label, row.Weight) = (!row.Label, 0);
        var data = _ml.Data.LoadFromEnumerable(rows.Concat(wrong));
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { ExampleWeightColumnName = "Weight" }).Fit(data);
        var metrics = _ml.BinaryClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(Moons.Create(400, seed: 2))));
        Assert.True(metrics.Accuracy > 0.95, $"accuracy {metrics.Accuracy}");
    }

    [Fact]
    public void Fit_SameSeed_GivesTheSameBits()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var first = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Seed = 5 }).Fit(data);
        using var second = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Seed = 5 }).Fit(data);
        using var other = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick with { Seed = 6 }).Fit(data);
        foreach (var (name, values) in first.Model.Parameters) Assert.Equal(values, second.Model.Parameters[name]);
        Assert.NotEqual(first.Model.Parameters["dense1.weight"], other.Model.Parameters["dense1.weight"]);
    }

    [Fact]
    public void Fit_Cancelled_Stops()
    {
        using var source = new CancellationTokenSource();
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(300));
        var epochs = 0;
        var options = Quick with
        {
            EarlyStoppingPatience = 0,
            CancellationToken = source.Token,
            Progress = report =>
            {
                epochs = report.Epoch;
                if (report.Epoch == 3) source.Cancel();
            },
        };
        Assert.Throws<OperationCanceledException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data));
        Assert.Equal(3, epochs);
    }

    [Fact]
    public void Export_FoldsEveryBatchNormAndSaysSo()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(300));
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(data);
        Assert.Equal(3, model.Export.Unfolded.Proto.Graph.Node.Count(node => node.OpType == "BatchNormalization"));
        Assert.DoesNotContain(model.Export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        Assert.InRange(model.Export.Verification.LargestRelative, 0, 1e-5);
        var metadata = model.Scorer.Metadata;
        Assert.Equal("binary", metadata["mlnetbn.task"]);
        Assert.Equal("300", metadata["mlnetbn.verifiedRows"]);
        Assert.Equal("exponential, PyTorch momentum 0.1", metadata["mlnetbn.statistics"]);
    }

    [Theory]
    [InlineData(ModelPrecision.Float16)]
    [InlineData(ModelPrecision.Int8)]
    public void Fit_FewerBits_ScoresAndSavesWithThem(ModelPrecision precision)
    {
        var rows = Moons.Create(400);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var options = Quick with { HiddenLayers = [48, 40], Precision = precision };
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(options).Fit(data);
        Assert.Equal(PrecisionNames.NameOf(precision), model.Scorer.Metadata["mlnetbn.precision"]);
        Assert.InRange(model.Export.Reduced!.Check.Comparison!.LargestRelative, 1e-7, 0.1);
        Assert.True(_ml.BinaryClassification.Evaluate(model.Transform(data)).Accuracy > 0.95);

        // A row by itself, a row among others, and a row in the saved model are the same.
        var batch = _ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), reuseRowObject: false).ToArray();
        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var loaded = _ml.Model.Load(stream, out _);
        var saved = _ml.Data.CreateEnumerable<BinaryPrediction>(loaded.Transform(data), reuseRowObject: false).ToArray();
        using var engine = _ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(model);
        for (var row = 0; row < rows.Length; row++)
        {
            Assert.Equal(batch[row].Score, engine.Predict(rows[row]).Score, 1e-4f);
            Assert.Equal(batch[row].Score, saved[row].Score, 1e-4f);
        }
    }

    [Fact]
    public void Fit_NothingToReduce_SaysWhy()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(300));
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(
            Quick with { HiddenLayers = [8], Precision = ModelPrecision.Int8 });
        Assert.Contains(
            "Nothing in the model can be int8", Assert.Throws<NotSupportedException>(() => trainer.Fit(data)).Message,
            StringComparison.Ordinal);
    }
}

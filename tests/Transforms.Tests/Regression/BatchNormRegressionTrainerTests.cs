using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class BatchNormRegressionTrainerTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Seed = 0,
        HiddenLayers = [32, 16],
        BatchSize = 32,
        Dropout = 0,
        Epochs = 40,
        EarlyStoppingPatience = 0,
        ValidationFraction = 0.1,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_NumbersFarFromZero_ExplainsThem()
    {
        using var model = Fit(Quick);
        var metrics = _ml.Regression.Evaluate(model.Transform(Data(300, seed: 2)));
        Assert.True(metrics.RSquared > 0.9, $"R² {metrics.RSquared}");
        Assert.InRange(model.Model.Best.Validation!.RootMeanSquaredError!.Value, 1000, 20_000);
    }

    [Fact]
    public void Transform_AnyBatchPosition_GivesWhatTheScorerGives()
    {
        var rows = Waves.Create(300);
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = Fit(Quick with { Epochs = 2 });
        var scores = model.Transform(data).GetColumn<float>("Score").ToArray();
        var expected = new float[1];
        for (var i = 0; i < rows.Length; i++)
        {
            model.Scorer.Score(rows[i].Features, expected);
            Assert.Equal(expected[0], scores[i], 1e-5f * Math.Abs(expected[0]));
        }

        using var engine = _ml.Model.CreatePredictionEngine<Waves.Row, RegressionPrediction>(model);
        Assert.Equal(scores[123], engine.Predict(rows[123]).Score);
    }

    [Theory]
    [InlineData(5000, true)]
    [InlineData(5001, false)]
    public void Fit_DropoutLeftOpen_IsThereForFewRows(int rows, bool expected)
    {
        using var model = Fit(Quick with { Preset = Preset.Fast, Dropout = null, Epochs = 1, HiddenLayers = [4] }, rows);
        Assert.Equal(expected, model.Model.Network.ToString().Contains("dropout 0.5", StringComparison.Ordinal));
    }

    [Fact]
    public void GetOutputSchema_BeforeAndAfterFit_Agree()
    {
        SchemaShape? shape = null;
        var trainer = _ml.Regression.Trainers.BatchNormNetwork(Quick with { Epochs = 1 });
        var chain = _ml.Transforms.CopyColumns("Copy", "Weight")
            .Append(new ShapeProbe<BatchNormRegressionTransformer>(trainer, seen => shape = seen));
        var output = chain.Fit(Data(100)).Transform(Data(100)).Schema;
        Assert.Equal(["Features", "Label", "Weight", "Copy", "Score"], output.Select(column => column.Name));
        Assert.Equal(output.Select(column => column.Name), shape!.Select(column => column.Name));
        Assert.Equal(NumberDataViewType.Single, output["Score"].Type);
        Assert.Equal(NumberDataViewType.Single, shape![^1].ItemType);
        Assert.Equal(SchemaShape.Column.VectorKind.Scalar, shape![^1].Kind);
    }

    [Fact]
    public void SaveAndLoad_AloneAndInAChain_PredictsTheSame()
    {
        var data = Data(200);
        var trainer = _ml.Regression.Trainers.BatchNormNetwork(Quick with { Epochs = 3 });
        ITransformer[] models = [trainer.Fit(data), _ml.Transforms.CopyColumns("Copy", "Weight").Append(trainer).Fit(data)];
        foreach (var model in models)
        {
            var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out _);
            var expected = model.Transform(data).GetColumn<float>("Score").ToArray();
            var actual = loaded.Transform(data).GetColumn<float>("Score").ToArray();
            Assert.Equal(expected.Length, actual.Length);
            for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-6f * Math.Abs(expected[i]));
            Assert.Equal(
                model.GetOutputSchema(data.Schema).Select(column => column.Name),
                loaded.GetOutputSchema(data.Schema).Select(column => column.Name));
        }
    }

    [Fact]
    public void CrossValidate_Waves_EvaluatesEachFold()
    {
        var results = _ml.Regression.CrossValidate(Data(600), _ml.Regression.Trainers.BatchNormNetwork(Quick), numberOfFolds: 2);
        Assert.All(results, result => Assert.True(result.Metrics.RSquared > 0.85, $"R² {result.Metrics.RSquared}"));
        var loaded = Models.SaveAndLoad(_ml, results[1].Model, Data(1).Schema, out _);
        Assert.True(_ml.Regression.Evaluate(loaded.Transform(Data(100, seed: 2))).RSquared > 0.85);
    }

    [Fact]
    public void Fit_ValidationGiven_MeasuresOnIt()
    {
        // On validation rows that are all wrong, no epoch is a good one; with a part of the training rows held out, many are.
        var wrong = Waves.Create(100, seed: 3);
        foreach (var row in wrong) row.Label += 1_000_000;
        using var model = _ml.Regression.Trainers.BatchNormNetwork(Quick with { Epochs = 3 })
            .Fit(Data(300), _ml.Data.LoadFromEnumerable(wrong));
        Assert.All(model.Model.History, report => Assert.InRange(report.Validation!.RootMeanSquaredError!.Value, 800_000, 1_600_000));
    }

    [Fact]
    public void Fit_OwnNetwork_IsUsed()
    {
        var network = Network.Input(2).Dense(8).BatchNorm().Activation(Activation.Tanh).Dense(1);
        using var model = Fit(Quick with { Epochs = 1, HiddenLayers = null, Dropout = null, Network = network });
        Assert.Same(network, model.Model.Network);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Fit_LabelNotFinite_NamesTheRow(float value)
    {
        var rows = Waves.Create(50);
        rows[31].Label = value;
        var exception = Assert.Throws<InvalidDataException>(
            () => _ml.Regression.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("Row 31 has", exception.Message, StringComparison.Ordinal);
        Assert.Contains("in the label column 'Label'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_AllLabelsTheSame_SaysSo()
    {
        var rows = Waves.Create(50);
        foreach (var row in rows) row.Label = 7;
        var exception = Assert.Throws<InvalidDataException>(
            () => _ml.Regression.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("is 7 in all 50 rows", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_LabelIsABoolean_SaysWhatToDo()
    {
        var exception = Assert.Throws<ArgumentException>(
            () => _ml.Regression.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(10))));
        Assert.Contains("ConvertType", exception.Message, StringComparison.Ordinal);
    }

    private BatchNormRegressionTransformer Fit(BatchNormNetworkOptions options, int rows = 600) =>
        _ml.Regression.Trainers.BatchNormNetwork(options).Fit(Data(rows));

    private IDataView Data(int count, int seed = 1) => _ml.Data.LoadFromEnumerable(Waves.Create(count, seed));
}

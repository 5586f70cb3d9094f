using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MlNetBatchNorm.Transforms.Tests.Guide;

/// <summary>The code that docs/mlnet.md shows, run.</summary>
public sealed class MlNetGuide
{
    [Fact]
    public void TwoClasses()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Moons.Create(400));

        var split = ml.Data.TrainTestSplit(data, testFraction: 0.2);
        var trainer = ml.BinaryClassification.Trainers.BatchNormNetwork(
            labelColumnName: "Label", hiddenLayers: [64, 32], epochs: 30, learningRate: 1e-3);
        using var model = trainer.Fit(split.TrainSet);
        var metrics = ml.BinaryClassification.Evaluate(model.Transform(split.TestSet));

        Assert.True(metrics.AreaUnderRocCurve > 0.8, $"AUC {metrics.AreaUnderRocCurve}");
    }

    [Fact]
    public void SeveralClasses()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Clouds.Create(400));
        var rows = Clouds.Create(1);

        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.BatchNormNetwork(hiddenLayers: [32]))
            .Append(ml.Transforms.Conversion.MapKeyToValue("Class", "PredictedLabel"));
        using var model = pipeline.Fit(data);
        var metrics = ml.MulticlassClassification.Evaluate(model.Transform(data));
        using var engine = ml.Model.CreatePredictionEngine<Clouds.Row, ClassPrediction>(
            model, new PredictionEngineOptions { OwnsTransformer = false });
        var prediction = engine.Predict(rows[0]);   // prediction.Class is "red", prediction.Score[0] its probability

        Assert.True(metrics.MicroAccuracy > 0.9, $"accuracy {metrics.MicroAccuracy}");
        Assert.Equal("red", prediction.Class);
        Assert.Equal(prediction.Score.Max(), prediction.Score[0]);
    }

    [Fact]
    public void ANumber()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Waves.Create(300));
        var validation = ml.Data.LoadFromEnumerable(Waves.Create(100, seed: 2));
        var lines = new List<string>();
        var stop = CancellationToken.None;

        ml.Log += (_, message) =>
        {
            if (message.Kind >= ChannelMessageKind.Info) lines.Add(message.RawMessage);
        };
        var trainer = ml.Regression.Trainers.BatchNormNetwork(new BatchNormNetworkOptions
        {
            Network = Network.Input(2).Dense(32).BatchNorm().Relu().Dense(1),
            ExampleWeightColumnName = "Weight",
            UnusableRows = UnusableRows.Skip,   // as ML.NET's own trainers do
            ValidationSet = validation,
            CancellationToken = stop,
            Epochs = 20,
        });
        using var model = trainer.Fit(data);
        var metrics = ml.Regression.Evaluate(model.Transform(validation));

        Assert.Contains(lines, line => line.StartsWith("epoch  20/20", StringComparison.Ordinal));
        Assert.True(metrics.RSquared > 0, $"R² {metrics.RSquared}");
    }

    [Fact]
    public void Everywhere()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Moons.Create(400));
        var trainer = ml.BinaryClassification.Trainers.BatchNormNetwork(hiddenLayers: [16], epochs: 60, batchSize: 32, learningRate: 1e-2);

        var folds = ml.BinaryClassification.CrossValidate(data, trainer, numberOfFolds: 3);
        var auc = folds.Average(fold => fold.Metrics.AreaUnderRocCurve);

        Assert.True(auc > 0.8, $"AUC {auc}");
    }

    private sealed class ClassPrediction
    {
        public float[] Score { get; set; } = [];

        public string Class { get; set; } = string.Empty;
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class BatchNormMulticlassTrainerTests
{
    private static readonly BatchNormNetworkOptions Quick = new()
    {
        Seed = 0,
        HiddenLayers = [16, 8],
        BatchSize = 32,
        Epochs = 20,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_Clouds_SeparatesThemAndEvaluatesByName()
    {
        var model = Pipeline().Fit(Data(400));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(Data(200, seed: 2)));
        Assert.True(metrics.MicroAccuracy > 0.98, $"accuracy {metrics.MicroAccuracy}");
        Assert.True(metrics.MacroAccuracy > 0.98, $"macro-accuracy {metrics.MacroAccuracy}");
        Assert.True(metrics.LogLoss < 0.1, $"log-loss {metrics.LogLoss}");
        Assert.Equal(3, metrics.ConfusionMatrix.NumberOfClasses);
    }

    [Fact]
    public void Transform_Clouds_GivesProbabilitiesAndTheLikeliestClass()
    {
        var rows = Clouds.Create(300);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = Pipeline().Append(_ml.Transforms.Conversion.MapKeyToValue("Text", "PredictedLabel")).Fit(data);
        var scored = model.Transform(data);
        var scores = scored.GetColumn<float[]>("Score").ToArray();
        var keys = scored.GetColumn<uint>("PredictedLabel").ToArray();
        var texts = scored.GetColumn<string>("Text").ToArray();
        for (var i = 0; i < rows.Length; i++)
        {
            Assert.Equal(1, scores[i].Sum(), 1e-5f);
            Assert.Equal(scores[i].Max(), scores[i][(int)keys[i] - 1]);
            Assert.Equal(Clouds.Classes[keys[i] - 1], texts[i]);
        }

        Assert.True(texts.Zip(rows).Count(pair => pair.First == pair.Second.Label) > 290);
    }

    [Fact]
    public void Transform_KeyLabel_NamesItsClassesOnTheAddedColumns()
    {
        var data = Data(100);
        var schema = Pipeline(Quick with { Epochs = 1 }).Fit(data).Transform(data).Schema;
        Assert.Equal(Clouds.Classes, Slots(schema["Score"]));
        Assert.Equal(Clouds.Classes, Keys(schema["PredictedLabel"]));
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 3), schema["Score"].Type);
        Assert.Equal(new KeyDataViewType(typeof(uint), 3), schema["PredictedLabel"].Type);
    }

    [Fact]
    public void GetOutputSchema_BeforeAndAfterFit_Agree()
    {
        var data = Data(100);
        SchemaShape? shape = null;
        var trainer = _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { Epochs = 1 });
        var chain = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(new ShapeProbe<BatchNormMulticlassTransformer>(trainer, seen => shape = seen));
        var output = chain.Fit(data).Transform(data).Schema;
        Assert.Equal(["Score", "PredictedLabel"], shape!.TakeLast(2).Select(column => column.Name));
        Assert.Equal(["Score", "PredictedLabel"], output.TakeLast(2).Select(column => column.Name));
        foreach (var column in shape!.TakeLast(2))
        {
            var actual = output[column.Name];
            Assert.Equal(actual.Type is KeyDataViewType, column.IsKey);
            Assert.Equal(actual.Type is VectorDataViewType, column.Kind == SchemaShape.Column.VectorKind.Vector);
            Assert.Equal(((actual.Type as VectorDataViewType)?.ItemType ?? actual.Type).RawType, column.ItemType.RawType);
            Assert.Equal(
                actual.Annotations.Schema.Select(annotation => annotation.Name), column.Annotations.Select(annotation => annotation.Name));
        }
    }

    [Fact]
    public void SaveAndLoad_InAChain_PredictsTheSame()
    {
        var rows = Clouds.Create(200);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = _ml.Transforms.CopyColumns("My features", "Features")
            .Append(Pipeline(Quick with { FeatureColumnName = "My features", Epochs = 3 }))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Text", "PredictedLabel"))
            .Fit(data);
        var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out var schema);
        var (expected, actual) = (model.Transform(data), loaded.Transform(data));
        Assert.Equal(Visible(expected.Schema), Visible(actual.Schema));
        Assert.Equal(expected.Schema["Score"].Type, actual.Schema["Score"].Type);
        Assert.Equal(expected.Schema["PredictedLabel"].Type, actual.Schema["PredictedLabel"].Type);
        Assert.Equal(Clouds.Classes, Keys(actual.Schema["PredictedLabel"]));
        Assert.Equal(expected.GetColumn<uint>("PredictedLabel"), actual.GetColumn<uint>("PredictedLabel"));
        Assert.Equal(expected.GetColumn<string>("Text"), actual.GetColumn<string>("Text"));
        foreach (var (left, right) in expected.GetColumn<float[]>("Score").Zip(actual.GetColumn<float[]>("Score")))
            for (var i = 0; i < 3; i++) Assert.Equal(left[i], right[i], 1e-6f);

        var metrics = _ml.MulticlassClassification.Evaluate(actual);
        Assert.Equal(_ml.MulticlassClassification.Evaluate(expected).LogLoss, metrics.LogLoss, 1e-5);
        using var engine = _ml.Model.CreatePredictionEngine<Clouds.Row, Prediction>(loaded, schema);
        var prediction = engine.Predict(rows[5]);
        Assert.Equal(expected.GetColumn<float[]>("Score").ElementAt(5)[1], prediction.Score[1], 1e-6f);
        Assert.Equal(expected.GetColumn<string>("Text").ElementAt(5), prediction.Text);
    }

    [Fact]
    public void SaveAndLoad_KeysOfNumbers_KeepTheNumbers()
    {
        var data = Data(120);
        var model = _ml.Transforms.Conversion.MapValueToKey("Number")
            .Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { LabelColumnName = "Number", Epochs = 2 }))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Predicted", "PredictedLabel"))
            .Fit(data);
        var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out _);
        Assert.Equal(["2.5", "5", "7.5"], Slots(model.Transform(data).Schema["Score"]));
        Assert.Equal(model.Transform(data).GetColumn<float>("Predicted"), loaded.Transform(data).GetColumn<float>("Predicted"));
    }

    [Fact]
    public void CreatePredictionEngine_KeysOfNumbers_GivesTheNumbersByTheReadyMadeClass()
    {
        var data = Data(120);
        using var model = _ml.Transforms.Conversion.MapValueToKey("Number")
            .Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { LabelColumnName = "Number", Epochs = 2 }))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(data);
        var options = new PredictionEngineOptions { OwnsTransformer = false };
        using var engine = _ml.Model.CreatePredictionEngine<Clouds.Row, MulticlassPrediction<float>>(model, options);

        var rows = _ml.Data.CreateEnumerable<Clouds.Row>(data, false).Take(20).ToList();

        Assert.Equal(
            model.Transform(data).GetColumn<float>("PredictedLabel").Take(20), rows.Select(row => engine.Predict(row).PredictedLabel));
        Assert.Equal(3, engine.Predict(rows[0]).Score.Length);
    }

    [Fact]
    public void SaveAndLoad_KeysWithoutValues_KeepTheKeys()
    {
        var data = _ml.Data.LoadFromEnumerable(
            Clouds.Create(120).Select((row, i) => new Keyed { Features = row.Features, Label = (uint)(i % 4 % 3) }));
        using var model = _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { Epochs = 5 }).Fit(data);
        var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out _);
        Assert.Equal(["0", "1", "2"], Slots(model.Transform(data).Schema["Score"]));
        Assert.Equal(3, model.Transform(data).GetColumn<uint>("PredictedLabel").Distinct().Count());
        Assert.Equal(model.Transform(data).GetColumn<uint>("PredictedLabel"), loaded.Transform(data).GetColumn<uint>("PredictedLabel"));
    }

    [Fact]
    public void Predict_SingleRows_EqualsTransform()
    {
        var rows = Clouds.Create(100);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var model = Pipeline(Quick with { Epochs = 3 }).Append(_ml.Transforms.Conversion.MapKeyToValue("Text", "PredictedLabel")).Fit(data);
        var scores = model.Transform(data).GetColumn<float[]>("Score").ToArray();
        using var engine = _ml.Model.CreatePredictionEngine<Clouds.Row, Prediction>(model);
        for (var i = 0; i < rows.Length; i++)
            Assert.Equal(scores[i], engine.Predict(rows[i]).Score, (left, right) => Math.Abs(left - right) < 1e-5f);
    }

    [Fact]
    public void Fit_Weights_HideRowsOfWeightZero()
    {
        var wrong = Clouds.Create(200, seed: 3);
        foreach (var row in wrong) (row.Label, row.Weight) = (row.Label == "red" ? "blue" : "red", 0);
        var data = _ml.Data.LoadFromEnumerable(Clouds.Create(400).Concat(wrong));
        var model = Pipeline(Quick with { ExampleWeightColumnName = "Weight" }).Fit(data);
        var accuracy = _ml.MulticlassClassification.Evaluate(model.Transform(Data(200, seed: 2))).MicroAccuracy;
        Assert.True(accuracy > 0.97, $"accuracy {accuracy}");
    }

    [Fact]
    public void CrossValidate_Clouds_EvaluatesEachFold()
    {
        var results = _ml.MulticlassClassification.CrossValidate(Data(300), Pipeline(Quick with { Epochs = 10 }), numberOfFolds: 2);
        Assert.Equal(2, results.Count);
        Assert.All(results, result => Assert.True(result.Metrics.MicroAccuracy > 0.95, $"accuracy {result.Metrics.MicroAccuracy}"));
        var loaded = Models.SaveAndLoad(_ml, results[0].Model, Data(1).Schema, out _);
        Assert.True(_ml.MulticlassClassification.Evaluate(loaded.Transform(Data(100, seed: 2))).MicroAccuracy > 0.95);
    }

    [Fact]
    public void Export_Clouds_DescribesItself()
    {
        var data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(Data(100)).Transform(Data(100));
        using var model = _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { Epochs = 1 }).Fit(data);
        Assert.DoesNotContain(model.Export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        Assert.Equal("multiclass", model.Scorer.Metadata["mlnetbn.task"]);
        Assert.Equal("""["red","blue","green"]""", model.Scorer.Metadata["mlnetbn.labels"]);
        Assert.Equal(Clouds.Classes, model.Classes);
    }

    private IDataView Data(int count, int seed = 1) => _ml.Data.LoadFromEnumerable(Clouds.Create(count, seed));

    private EstimatorChain<BatchNormMulticlassTransformer> Pipeline(BatchNormNetworkOptions? options = null) =>
        _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(options ?? Quick));

    private static IEnumerable<string> Visible(DataViewSchema schema) =>
        schema.Where(column => !column.IsHidden).Select(column => column.Name).Order(StringComparer.Ordinal);

    private static string[] Slots(DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    private static string[] Keys(DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> names = default;
        column.GetKeyValues(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    private sealed class Keyed
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        [KeyType(3)]
        public uint Label { get; set; }
    }

    private sealed class Prediction
    {
        public float[] Score { get; set; } = [];

        public string Text { get; set; } = string.Empty;
    }
}

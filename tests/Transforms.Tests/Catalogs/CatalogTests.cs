using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>What an ML.NET user does with a trainer, done with ours on ML.NET itself.</summary>
public sealed class CatalogTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void CrossValidate_Binary_CalibratedAndNot()
    {
        var data = Trainers.Data(_ml, LearningTask.Binary, 400);
        var pipeline = Trainers.Pipeline(_ml, LearningTask.Binary, Trainers.Quick);
        var calibrated = _ml.BinaryClassification.CrossValidate(data, pipeline, numberOfFolds: 3, samplingKeyColumnName: "Name");
        Assert.Equal(3, calibrated.Count);
        Assert.All(calibrated, fold => Assert.True(fold.Metrics.Accuracy > 0.9 && fold.Metrics.LogLoss < 0.4, $"fold {fold.Fold}"));
        var scoresOnly = _ml.BinaryClassification.CrossValidateNonCalibrated(data, pipeline, numberOfFolds: 2);
        Assert.All(scoresOnly, fold => Assert.True(fold.Metrics.AreaUnderRocCurve > 0.95, $"fold {fold.Fold}"));
        RequireReload(calibrated[0].Model, data, "Probability");
    }

    [Fact]
    public void CrossValidate_Multiclass_EvaluatesEachFold()
    {
        var data = Trainers.Data(_ml, LearningTask.Multiclass, 400);
        var folds = _ml.MulticlassClassification.CrossValidate(
            data, Trainers.Pipeline(_ml, LearningTask.Multiclass, Trainers.Quick), numberOfFolds: 3);
        Assert.All(folds, fold => Assert.True(fold.Metrics.MicroAccuracy > 0.95, $"fold {fold.Fold}: {fold.Metrics.MicroAccuracy}"));
        Assert.Equal(400, folds.Sum(fold => fold.ScoredHoldOutSet.GetColumn<uint>("PredictedLabel").Count()));
    }

    [Fact]
    public void CrossValidate_Regression_EvaluatesEachFold()
    {
        var data = Trainers.Data(_ml, LearningTask.Regression, 600);
        var folds = _ml.Regression.CrossValidate(
            data, Trainers.Pipeline(_ml, LearningTask.Regression, Trainers.Quick with { Epochs = 40 }), numberOfFolds: 2);
        Assert.All(folds, fold => Assert.True(fold.Metrics.RSquared > 0.8, $"fold {fold.Fold}: {fold.Metrics.RSquared}"));
        RequireReload(folds[1].Model, data, "Score");
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void AppendCacheCheckpoint_AroundTheTrainer_ChangesNothing(LearningTask task)
    {
        var data = Trainers.Data(_ml, task, 200);
        var options = Trainers.Quick with { Epochs = 2 };
        using var plain = Trainers.Pipeline(_ml, task, options).Fit(data);
        var front = _ml.Transforms.CopyColumns("Other", "Features").AppendCacheCheckpoint(_ml);
        using var cached = front.Append(Trainers.Pipeline(_ml, task, options)).AppendCacheCheckpoint(_ml).Fit(data);
        Assert.Equal(Scores(plain.Transform(data)), Scores(cached.Transform(data)));
    }

    [Fact]
    public void Evaluate_Multiclass_NamesTheClasses()
    {
        var split = _ml.Data.TrainTestSplit(Trainers.Data(_ml, LearningTask.Multiclass, 500), testFraction: 0.3);
        using var model = Trainers.Pipeline(_ml, LearningTask.Multiclass, Trainers.Quick)
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Text", "PredictedLabel")).Fit(split.TrainSet);
        var scored = model.Transform(split.TestSet);
        var metrics = _ml.MulticlassClassification.Evaluate(scored, topKPredictionCount: 2);
        var table = metrics.ConfusionMatrix.GetFormattedConfusionTable();
        foreach (var name in Clouds.Classes) Assert.Contains(name, table, StringComparison.Ordinal);
        Assert.True(metrics.TopKAccuracy >= metrics.MicroAccuracy && metrics.MicroAccuracy > 0.95, $"{metrics.MicroAccuracy}");
        Assert.All(scored.GetColumn<string>("Text"), text => Assert.Contains(text, Clouds.Classes));
    }

    [Fact]
    public void SaveAndLoad_Multiclass_KeepsTheNamesOfTheSlots()
    {
        var data = Trainers.Data(_ml, LearningTask.Multiclass, 300);
        using var model = Trainers.Pipeline(_ml, LearningTask.Multiclass, Trainers.Quick).Fit(data);
        var scored = Models.SaveAndLoad(_ml, model, data.Schema, out _).Transform(data);
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        Assert.Equal(Clouds.Classes, names.DenseValues().Select(name => name.ToString()));
        Assert.Contains(
            "green", _ml.MulticlassClassification.Evaluate(scored).ConfusionMatrix.GetFormattedConfusionTable(), StringComparison.Ordinal);
        Assert.Equal(Scores(model.Transform(data)), Scores(scored), (left, right) => Math.Abs(left - right) < 1e-6f);
    }

    [Fact]
    public void Evaluate_OtherColumnNames_AreFound()
    {
        var renamed = _ml.Transforms.CopyColumns("Truth", "Label").Append(_ml.Transforms.CopyColumns("Inputs", "Features"))
            .Append(_ml.Transforms.DropColumns("Label", "Features"));
        var data = renamed.Fit(Trainers.Data(_ml, LearningTask.Binary, 300)).Transform(Trainers.Data(_ml, LearningTask.Binary, 300));
        using var model = _ml.BinaryClassification.Trainers
            .BatchNormNetwork(Trainers.Quick with
            {
                LabelColumnName = "Truth",
                FeatureColumnName = "Inputs",
                ExampleWeightColumnName = "Weight",
            }).Fit(data);
        Assert.True(_ml.BinaryClassification.Evaluate(model.Transform(data), labelColumnName: "Truth").Accuracy > 0.9);
    }

    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Fit_ContextCancelled_Stops(LearningTask task)
    {
        // What AutoML does at the end of a trial's time, and CancelExecution of Microsoft.ML.Experimental.
        var context = new MLContext(seed: 1);
        var cancel = typeof(MLContext).GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic)!;
        var epochs = 0;
        var options = Trainers.Quick with
        {
            Progress = report =>
            {
                epochs = report.Epoch;
                if (report.Epoch == 2) cancel.Invoke(context, null);
            },
        };
        Assert.ThrowsAny<OperationCanceledException>(() => Trainers.Pipeline(context, task, options).Fit(Trainers.Data(_ml, task, 100)));
        Assert.Equal(2, epochs);
    }

    [Fact]
    public void Fit_Log_HoldsNothingButOurLines()
    {
        var context = new MLContext(seed: 1);
        var messages = new List<LoggingEventArgs>();
        context.Log += (_, message) => messages.Add(message);
        using var model = context.Regression.Trainers.BatchNormNetwork(Trainers.Quick with { Epochs = 3 })
            .Fit(Trainers.Data(_ml, LearningTask.Regression, 100));
        Assert.All(messages, message => Assert.Equal("BatchNormNetwork; Training", message.Source));
        Assert.Equal(5, messages.Count(message => message.Kind == Microsoft.ML.Runtime.ChannelMessageKind.Info));
    }

    [Fact]
    public void Predict_IntoTheSameObject_AllocatesLessThanThroughMlNetsOnnxTransformer()
    {
        // A saved model loads as ML.NET's own OnnxTransformer: the same network, the same engine.
        var rows = Moons.Create(100);
        var data = _ml.Data.LoadFromEnumerable(rows);
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Trainers.Quick with { Epochs = 1 }).Fit(data);
        var own = BytesARow(model, rows);
        var stock = BytesARow(Models.SaveAndLoad(_ml, model, data.Schema, out _), rows);
        Assert.True(own < 1, $"{own} bytes a row");
        Assert.True(stock > 1000, $"{stock} bytes a row");
    }

    private double BytesARow(ITransformer model, Moons.Row[] rows)
    {
        using var engine = _ml.Model.CreatePredictionEngine<Moons.Row, BinaryPrediction>(model);
        var prediction = new BinaryPrediction();
        for (var i = 0; i < 200; i++) engine.Predict(rows[i % rows.Length], ref prediction);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) engine.Predict(rows[i % rows.Length], ref prediction);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0;
    }

    private void RequireReload(ITransformer model, IDataView data, string column)
    {
        var loaded = Models.SaveAndLoad(_ml, model, data.Schema, out _);
        var expected = model.Transform(data).GetColumn<float>(column).ToArray();
        var actual = loaded.Transform(data).GetColumn<float>(column).ToArray();
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-6f * Math.Max(1, Math.Abs(expected[i])));
    }

    private static float[] Scores(IDataView scored) => scored.Schema["Score"].Type is VectorDataViewType
        ? [.. scored.GetColumn<float[]>("Score").SelectMany(values => values)]
        : [.. scored.GetColumn<float>("Score")];
}

// Which letter is it? 26 classes, from 16 measurements of the image of a letter: learn, test, save, load, ask, export.
//
//   dotnet run -c Release --project samples/Letters

using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm;

var ml = new MLContext(seed: 1);

// Load. The class Letter below says which column of the file is what.
var csv = Path.Combine(AppContext.BaseDirectory, "sample-data", "letters.csv");
var data = ml.Data.LoadFromTextFile<Letter>(csv, separatorChar: ',', hasHeader: true, allowQuoting: true);
var parts = ml.Data.TrainTestSplit(data, testFraction: 0.2, seed: 1);

// Classes are keys in ML.NET: texts become keys in front of the trainer, and the predicted key becomes a text behind it.
var pipeline = ml.Transforms.Conversion.MapValueToKey("Label", "Text")
    .Append(ml.MulticlassClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions
    {
        FeatureColumnName = "Measurements",
        HiddenLayers = [128, 64],
        Epochs = 12,
    }))
    .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
using var model = pipeline.Fit(parts.TrainSet);

// How good is it on images that it has not seen?
var metrics = ml.MulticlassClassification.Evaluate(model.Transform(parts.TestSet));
Console.WriteLine($"accuracy {metrics.MicroAccuracy:F3}, log-loss {metrics.LogLoss:F3}");

// Save the whole pipeline, and load it as another program would.
ml.Model.Save(model, data.Schema, "letters.zip");
using var loaded = ml.Model.LoadBatched("letters.zip", out _);

// Ask about one image.
using var engine = ml.Model.CreatePredictionEngine<Letter, MulticlassPrediction>(
    loaded, new PredictionEngineOptions { OwnsTransformer = false });
var prediction = engine.Predict(new Letter { Measurements = [2, 8, 3, 5, 1, 8, 13, 0, 6, 6, 10, 8, 0, 8, 0, 8] });
Console.WriteLine($"it is {prediction.PredictedLabel}, with probability {prediction.Score.Max():F2}");

// The network by itself, its batch normalizations folded away, for ONNX Runtime anywhere: takes the measurements, gives score and
// probability.
var network = model.OfType<BatchNormMulticlassTransformer>().Single();
network.SaveOnnx("letters.onnx");
Console.WriteLine("written: letters.zip, letters.onnx");

internal sealed class Letter
{
    [LoadColumn(0)] public string Text { get; set; } = "";
    [LoadColumn(1, 16), VectorType(16)] public float[] Measurements { get; set; } = [];
}

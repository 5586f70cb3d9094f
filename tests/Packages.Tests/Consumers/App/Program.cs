// Trains, saves and exports in one process; loads and scores in others. Catches nothing.
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm;
using MlNetBatchNorm.Onnx;

var ml = new MLContext(seed: 1);
var points = Enumerable.Range(0, 400).Select(i => new Point { X = i % 20, Y = i / 20, Label = i % 20 > i / 20 }).ToList();
var data = ml.Data.LoadFromEnumerable(points);
var asked = points[57];

switch (args[0])
{
    case "train":
        var pipeline = ml.Transforms.Concatenate("Features", "X", "Y")
            .Append(ml.BinaryClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions { HiddenLayers = [16], Epochs = 5 }));
        using (var model = pipeline.Fit(data))
        {
            ml.Model.Save(model, data.Schema, "model.zip");
            ml.Model.ConvertToFoldedOnnx(model, data, "pipeline.onnx");
            model.LastTransformer.ExportOnnx(model.Transform(data)).Unfolded.Save("model.batchnorm.onnx");
            Say(ml.Data.CreateEnumerable<BinaryPrediction>(model.Transform(data), false).ElementAt(57).Probability);
        }

        break;

    case "load":
        using (var engine = ml.Model.CreatePredictionEngine<Point, BinaryPrediction>(ml.Model.Load("model.zip", out _)))
            Say(engine.Predict(asked).Probability);
        break;

    case "loadBatched":
        using (var batched = ml.Model.LoadBatched("model.zip", out _))
            Say(ml.Data.CreateEnumerable<BinaryPrediction>(batched.Transform(data), false).ElementAt(57).Probability);
        break;

    case "score":
        using (var scorer = OnnxScorer.Load("pipeline.onnx", new OnnxScorerOptions { Outputs = ["Probability"] }))
        {
            using var call = scorer.Rent(rows: 1);
            call.Input("X")[0] = asked.X;
            call.Input("Y")[0] = asked.Y;
            call.Run();
            Say(call.Output("Probability")[0]);
        }

        break;

    case "transform":
        var scored = ml.Transforms.ApplyOnnxModelBatched("pipeline.onnx").Fit(data).Transform(data);
        Say(scored.GetColumn<float>(scored.Schema["Probability"]).ElementAt(57));
        break;

    case "fold":
        Say(BatchNormFolder.FoldFile("model.batchnorm.onnx", "folded.onnx").Fold.Removed);
        break;
}

static void Say(float number) => Console.WriteLine(number.ToString("F5", CultureInfo.InvariantCulture));

internal sealed class Point
{
    public float X { get; set; }
    public float Y { get; set; }
    public bool Label { get; set; }
}

// What each library does, to the last bit. With an argument the folder of another run, whose models are scored, too.
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML;
using MlNetBatchNorm;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx;

Console.WriteLine($"on {Environment.Version}");
var ml = new MLContext(seed: 1);
var points = Enumerable.Range(0, 400).Select(i => new Point { X = i % 20, Y = i / 20, Label = i % 20 > i / 20 }).ToList();
var data = ml.Data.LoadFromEnumerable(points);
var asked = points[57];

var pipeline = ml.Transforms.Concatenate("Features", "X", "Y")
    .Append(ml.BinaryClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions { HiddenLayers = [16], Epochs = 5 }));
using (var model = pipeline.Fit(data))
{
    ml.Model.Save(model, data.Schema, "model.zip");
    ml.Model.ConvertToFoldedOnnx(model, data, "pipeline.onnx");
    var exported = model.LastTransformer.ExportOnnx(model.Transform(data));
    exported.Unfolded.Save("model.batchnorm.onnx");
    Say("AUC", ml.BinaryClassification.Evaluate(model.Transform(data)).AreaUnderRocCurve);
}

var folded = BatchNormFolder.FoldFile("model.batchnorm.onnx", "folded.onnx");
Say("folded", folded.Fold.Removed);
Console.WriteLine($"trained {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes("model.batchnorm.onnx")))}");
Console.WriteLine($"folded {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes("folded.onnx")))}");
foreach (var folder in args.Prepend(".")) Score(folder);

void Score(string folder)
{
    var (zip, onnx) = (Path.Combine(folder, "model.zip"), Path.Combine(folder, "pipeline.onnx"));
    using (var engine = ml.Model.CreatePredictionEngine<Point, BinaryPrediction>(ml.Model.Load(zip, out _)))
        Say("ML.NET", engine.Predict(asked).Probability);
    using (var batched = ml.Model.LoadBatched(zip, out _))
        Say("batched", ml.Data.CreateEnumerable<BinaryPrediction>(batched.Transform(data), false).ElementAt(57).Probability);
    using (var scorer = OnnxScorer.Load(Path.Combine(folder, "folded.onnx")))
        Say("score", scorer.Score([asked.X, asked.Y])[0]);
    using (var scorer = BatchNormScorer.Load(onnx)) Say("record", scorer.Score(new Place(asked.X, asked.Y)).Probability!.Value);

    using var services = new ServiceCollection().AddBatchNormScorer(Path.GetFullPath(onnx)).BuildServiceProvider();
    using var row = JsonDocument.Parse($$"""{"X": {{asked.X}}, "Y": {{asked.Y}} }""");
    Say("service", services.GetRequiredService<IBatchNormScorer>().Score(row).Probability!.Value);
}

static void Say(string what, double number) => Console.WriteLine($"{what} {number.ToString("R", CultureInfo.InvariantCulture)}");

internal sealed record Place(float X, float Y);

internal sealed class Point
{
    public float X { get; set; }
    public float Y { get; set; }
    public bool Label { get; set; }
}

// What is a house worth? A number, in dollars: learn from houses sold in Ames, Iowa; test, save, load, ask, export.
//
//   dotnet run -c Release --project samples/Ames

using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm;

var ml = new MLContext(seed: 1);

// Load. The class House below says which column of the file is what.
var csv = Path.Combine(AppContext.BaseDirectory, "sample-data", "ames.csv");
var data = ml.Data.LoadFromTextFile<House>(csv, separatorChar: ',', hasHeader: true, allowQuoting: true);
var parts = ml.Data.TrainTestSplit(data, testFraction: 0.2, seed: 1);

// Texts become numbers, all numbers become one vector, and the network learns from it. Neither they nor the price need a normalizer.
var pipeline = ml.Transforms.Categorical.OneHotEncoding([new("Neighborhood"), new("BuildingType"), new("Condition")])
    .Append(ml.Transforms.Concatenate(
        "Features",
        "Neighborhood",
        "BuildingType",
        "Condition",
        "LotArea",
        "YearBuilt",
        "YearRemodeled",
        "BasementArea",
        "LivingArea",
        "Baths",
        "GarageArea"))
    .Append(ml.Regression.Trainers.BatchNormNetwork(labelColumnName: "Price"));
using var model = pipeline.Fit(parts.TrainSet);

// How good is it on houses that it has not seen?
var metrics = ml.Regression.Evaluate(model.Transform(parts.TestSet), labelColumnName: "Price");
Console.WriteLine($"R² {metrics.RSquared:F3}, mean absolute error {metrics.MeanAbsoluteError:F0} dollars");

// Save the whole pipeline, and load it as another program would.
ml.Model.Save(model, data.Schema, "ames.zip");
using var loaded = ml.Model.LoadBatched("ames.zip", out _);

// Ask about one house.
using var engine = ml.Model.CreatePredictionEngine<House, RegressionPrediction>(
    loaded, new PredictionEngineOptions { OwnsTransformer = false });
var prediction = engine.Predict(new House
{
    Neighborhood = "North_Ames",
    BuildingType = "OneFam",
    Condition = "Average",
    LotArea = 9600,
    YearBuilt = 1961,
    YearRemodeled = 1961,
    BasementArea = 1100,
    LivingArea = 1200,
    Baths = 1,
    GarageArea = 400,
});
Console.WriteLine($"worth about {prediction.Score:F0} dollars");

// The network by itself, its batch normalizations folded away, for ONNX Runtime anywhere: takes the vector, gives the price.
model.LastTransformer.SaveOnnx("ames.onnx");
Console.WriteLine("written: ames.zip, ames.onnx");

internal sealed class House
{
    [LoadColumn(3)] public float LotArea { get; set; }
    [LoadColumn(11)] public string Neighborhood { get; set; } = "";
    [LoadColumn(14)] public string BuildingType { get; set; } = "";
    [LoadColumn(16)] public string Condition { get; set; } = "";
    [LoadColumn(17)] public float YearBuilt { get; set; }
    [LoadColumn(18)] public float YearRemodeled { get; set; }
    [LoadColumn(34)] public float BasementArea { get; set; }
    [LoadColumn(41)] public float LivingArea { get; set; }
    [LoadColumn(44)] public float Baths { get; set; }
    [LoadColumn(54)] public float GarageArea { get; set; }
    [LoadColumn(71)] public float Price { get; set; }
}

// Which customers of a phone company leave? Two classes: learn them from a table, test, save, load, ask, export.
//
//   dotnet run -c Release --project samples/Churn

using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm;

var ml = new MLContext(seed: 1);

// Load. The class Customer below says which column of the file is what.
var csv = Path.Combine(AppContext.BaseDirectory, "sample-data", "churn.csv");
var data = ml.Data.LoadFromTextFile<Customer>(csv, separatorChar: ',', hasHeader: true, allowQuoting: true);
var parts = ml.Data.TrainTestSplit(data, testFraction: 0.2, seed: 1);

// Texts become numbers, all numbers become one vector, and the network learns from it. It needs no normalizer in front.
var pipeline = ml.Transforms.Categorical.OneHotEncoding([new("Contract"), new("InternetService"), new("PaymentMethod")])
    .Append(
        ml.Transforms.Concatenate("Features", "Contract", "InternetService", "PaymentMethod", "Tenure", "MonthlyCharges", "SeniorCitizen"))
    .Append(ml.BinaryClassification.Trainers.BatchNormNetwork(labelColumnName: "Churn"));
using var model = pipeline.Fit(parts.TrainSet);

// How good is it on customers that it has not seen?
var metrics = ml.BinaryClassification.Evaluate(model.Transform(parts.TestSet), labelColumnName: "Churn");
Console.WriteLine($"AUC {metrics.AreaUnderRocCurve:F3}, accuracy {metrics.Accuracy:F3}");

// Save the whole pipeline, and load it as another program would.
ml.Model.Save(model, data.Schema, "churn.zip");
using var loaded = ml.Model.LoadBatched("churn.zip", out _);

// Ask about one customer.
using var engine = ml.Model.CreatePredictionEngine<Customer, BinaryPrediction>(
    loaded, new PredictionEngineOptions { OwnsTransformer = false });
var prediction = engine.Predict(new Customer
{
    Contract = "Month-to-month",
    InternetService = "Fiber optic",
    PaymentMethod = "Electronic check",
    Tenure = 2,
    MonthlyCharges = 85,
});
Console.WriteLine($"leaves with probability {prediction.Probability:F2}");

// The network by itself, its batch normalizations folded away, for ONNX Runtime anywhere: takes the vector, gives score and probability.
model.LastTransformer.SaveOnnx("churn.onnx");
Console.WriteLine("written: churn.zip, churn.onnx");

internal sealed class Customer
{
    [LoadColumn(0)] public bool Churn { get; set; }
    [LoadColumn(2)] public float SeniorCitizen { get; set; }
    [LoadColumn(5)] public float Tenure { get; set; }
    [LoadColumn(8)] public string InternetService { get; set; } = "";
    [LoadColumn(15)] public string Contract { get; set; } = "";
    [LoadColumn(17)] public string PaymentMethod { get; set; } = "";
    [LoadColumn(18)] public float MonthlyCharges { get; set; }
}

// The rows of a database, by ML.NET's own loader and any ADO.NET provider: here DuckDB, which reads files of CSV and Parquet with SQL.
//
//   dotnet run -c Release --project samples/Databases
//
// With PostgreSQL it is NpgsqlFactory.Instance and a connection string like Host=db;Database=shop;Username=reader. The tool takes the
// providers from this project's output, too:
//
//   mlnetbn train --sql "SELECT ..." --provider samples/Databases/bin/Release/net10.0/Npgsql.dll --label y --out out

using System.Data.Common;
using DuckDB.NET.Data;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

var ml = new MLContext(seed: 1);
DbProviderFactory provider = DuckDBClientFactory.Instance;

// What the database joins and counts need not come over to be counted here. Numbers come as FLOAT: then NULL is NaN, a missing value, where
// ML.NET makes 0 of one in a column of integers, and false of one in a column of truth values.
var csv = Path.Combine(AppContext.BaseDirectory, "sample-data", "churn.csv").Replace("'", "''", StringComparison.Ordinal);
var query = $"""
    SELECT churn = 'Yes' AS Churn, contract AS Contract, payment_method AS PaymentMethod,
           CAST(tenure AS FLOAT) AS Tenure, CAST(monthly_charges AS FLOAT) AS MonthlyCharges,
           CAST(total_charges AS FLOAT) AS TotalCharges
    FROM '{csv}'
    """;
var loader = ml.Data.CreateDatabaseLoader<Customer>();
var data = ml.Data.Cache(loader.Load(new DatabaseSource(provider, "DataSource=:memory:", query)));
var parts = ml.Data.TrainTestSplit(data, testFraction: 0.2, seed: 1);

var pipeline = ml.Transforms.Categorical.OneHotEncoding([new("Contract"), new("PaymentMethod")])
    .Append(ml.Transforms.ReplaceMissingValues(
        "TotalCharges", replacementMode: MissingValueReplacingEstimator.ReplacementMode.Mean))
    .Append(ml.Transforms.Concatenate("Features", "Contract", "PaymentMethod", "Tenure", "MonthlyCharges", "TotalCharges"))
    .Append(ml.BinaryClassification.Trainers.BatchNormNetwork(labelColumnName: "Churn"));
using var model = pipeline.Fit(parts.TrainSet);
var metrics = ml.BinaryClassification.Evaluate(model.Transform(parts.TestSet), labelColumnName: "Churn");
Console.WriteLine($"AUC {metrics.AreaUnderRocCurve:F3}, accuracy {metrics.Accuracy:F3}");

internal sealed class Customer
{
    public bool Churn { get; set; }
    public string Contract { get; set; } = "";
    public string PaymentMethod { get; set; } = "";
    public float Tenure { get; set; }
    public float MonthlyCharges { get; set; }
    public float TotalCharges { get; set; }
}

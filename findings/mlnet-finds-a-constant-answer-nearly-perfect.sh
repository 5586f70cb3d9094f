#!/usr/bin/env bash
# Microsoft.ML 5.0.1 (NuGet).
#
# A regression that answers the same number for every row explains nothing: its R² is 0, or a little below. One would guess that adding the same
# offset to all labels and answers changes no figure but by rounding. But RegressionEvaluator squares labels in float32 and takes the squared
# mean from the mean square, so that for labels of 1,000,000 to 1,000,010 (ids, years in seconds, amounts in cents) the same constant answer has
# an R² of 0.998, and for 16,777,200 to 16,777,210, all of them exact in float32, one above 1. RootMeanSquaredError stays right. It matters since
# R² is what model selection goes by (AutoML's default for regression): a useless model is chosen, with a figure near 1. Take an offset off
# before training, or compute R² oneself.
#
# Exit code 0: still so. 1: it changed. Needs the .NET SDK 10.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >Probe.csproj <<'P'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="Microsoft.ML" Version="[5.0.1]" /></ItemGroup>
</Project>
P
cat >Program.cs <<'P'
using Microsoft.ML;

var ml = new MLContext(1);
var found = new List<(double Told, double Right)>();
foreach (var offset in new[] { 0f, 1_000_000f, 16_777_200f })
{
    // Every label is a whole number below 2^24, which float32 has exactly.
    var rows = Enumerable.Range(0, 1100).Select(i => new Row { Label = offset + (i % 11), Score = offset + 4 }).ToList();
    var metrics = ml.Regression.Evaluate(ml.Data.LoadFromEnumerable(rows));
    var mean = rows.Average(row => (double)row.Label);
    var right = 1 - (rows.Sum(row => Math.Pow((double)row.Label - row.Score, 2)) / rows.Sum(row => Math.Pow(row.Label - mean, 2)));
    Console.WriteLine(FormattableString.Invariant(
        $"labels from {offset,10}: R² {metrics.RSquared:F4}, right is {right:F4}; RMSE {metrics.RootMeanSquaredError:F4}"));
    found.Add((metrics.RSquared, right));
}

return Math.Abs(found[0].Told - found[0].Right) < 1e-3 && found.All(one => Math.Abs(one.Right + 0.1) < 1e-9)
    && found[1].Told > 0.99 && found[2].Told > 1 ? 0 : 1;

internal sealed class Row
{
    public float Label { get; set; }
    public float Score { get; set; }
}
P
dotnet run -c Release --property:RestorePackagesPath="$folder/packages"

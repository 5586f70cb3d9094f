#!/usr/bin/env bash
# Microsoft.ML 5.0.1 (NuGet).
#
# One would guess that a transform that is given all columns of a table at once binds them in time proportional to their number. ML.NET looks
# for each new column among all others by comparing names one after the other, in each of the steps in which a transform is fitted and applied:
# from 5,000 columns to 20,000, four times as many take more than ten times as long, before a row of the table is read. It matters since wide
# tables are everyday (surveys, gene expression, exported one-hot columns), and since a pipeline does it once for each of its transforms: a
# OneHotEncoding of 33,000 columns takes minutes, for 20 rows. Numbers are best made one vector first, by Concatenate.
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
  <ItemGroup>
    <PackageReference Include="Microsoft.ML" Version="[5.0.1]" />
  </ItemGroup>
</Project>
P
cat >Program.cs <<'P'
using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;

Seconds(500);
var few = Seconds(5000);
var many = Seconds(20000);
Console.WriteLine(FormattableString.Invariant($"4 times as many columns take {many / few:0.0} times as long"));
return many / few > 8 ? 0 : 1;

// One transform for all columns, fitted on one row and applied; the best of three.
static double Seconds(int columns)
{
    string[] names = [.. Enumerable.Range(0, columns).Select(i => $"column {i}")];
    File.WriteAllText("table.csv", string.Join(',', Enumerable.Repeat("1.5", columns)));
    var best = double.PositiveInfinity;
    for (var round = 0; round < 3; round++)
    {
        var ml = new MLContext(1);
        var view = ml.Data.LoadFromTextFile(
            "table.csv", [.. names.Select((name, i) => new TextLoader.Column(name, DataKind.Single, i))], ',');
        InputOutputColumnPair[] pairs = [.. names.Select(name => new InputOutputColumnPair(name))];
        var start = Stopwatch.GetTimestamp();
        var answer = ml.Transforms.Conversion.ConvertType(pairs, DataKind.Double).Fit(view).Transform(view);
        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        if (answer.Schema.Count != 2 * columns) throw new InvalidOperationException($"{answer.Schema.Count} columns");
    }

    Console.WriteLine(FormattableString.Invariant($"{columns} columns: {best:0.000} s"));
    return best;
}
P
dotnet run -c Release --verbosity quiet

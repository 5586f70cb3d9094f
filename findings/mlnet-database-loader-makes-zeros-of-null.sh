#!/usr/bin/env bash
# Microsoft.ML 5.0.1 with Microsoft.Data.Sqlite 10.0.15 (NuGet).
#
# One would guess that a value that lacks in a database stays one that lacks, or stops the loading: DatabaseLoader gives NaN for NULL in columns
# that are float or double in the class. In columns of int, long or bool it gives 0 or false, without an error or a word on the log, and the
# text columns beside them get an empty text. It matters since what lacks says something: a model learns that customers of unknown age are 0
# years old, and ReplaceMissingValues, IndicateMissingValues and the trainers' own ways with NaN have nothing to act on. Cast such columns to
# REAL in the query and take float in the class.
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
    <PackageReference Include="Microsoft.Data.Sqlite" Version="[10.0.15]" />
  </ItemGroup>
</Project>
P
cat >Program.cs <<'P'
using Microsoft.Data.Sqlite;
using Microsoft.ML;
using Microsoft.ML.Data;

const string Connection = "Data Source=people;Mode=Memory;Cache=Shared";
using var open = new SqliteConnection(Connection);
open.Open();
using (var command = open.CreateCommand())
{
    command.CommandText = "CREATE TABLE people (weight REAL, height REAL, age INTEGER, visits INTEGER, member INTEGER, town TEXT);"
        + "INSERT INTO people VALUES (70.5, 1.8, 41, 3, 1, 'Ulm'), (NULL, NULL, NULL, NULL, NULL, NULL)";
    command.ExecuteNonQuery();
}

var log = new List<string>();
var ml = new MLContext(1);
ml.Log += (_, e) => { if (e.Kind >= Microsoft.ML.Runtime.ChannelMessageKind.Warning) log.Add(e.Message); };
var view = ml.Data.CreateDatabaseLoader<Person>()
    .Load(new DatabaseSource(SqliteFactory.Instance, Connection, "SELECT weight, height, age, visits, member, town FROM people"));
var rows = ml.Data.CreateEnumerable<Person>(view, reuseRowObject: false).ToArray();
foreach (var row in rows)
    Console.WriteLine(FormattableString.Invariant(
        $"float {row.weight}, double {row.height}, int {row.age}, long {row.visits}, bool {row.member}, text '{row.town}'"));
Console.WriteLine($"{log.Count} warnings");
return rows.Length == 2 && float.IsNaN(rows[1].weight) && double.IsNaN(rows[1].height)
    && rows[1] is { age: 0, visits: 0, member: false, town: "" } && log.Count == 0 ? 0 : 1;

internal sealed class Person
{
    public float weight { get; set; }
    public double height { get; set; }
    public int age { get; set; }
    public long visits { get; set; }
    public bool member { get; set; }
    public string town { get; set; } = "?";
}
P
dotnet run -c Release --property:RestorePackagesPath="$folder/packages"

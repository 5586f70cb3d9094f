#!/usr/bin/env bash
# ONNX Runtime 1.31.1 (NuGet, CPU).
#
# x / sqrt(mean(x²) + ε) · scale, with x of shape [1, 1] and a scale of two numbers, is a valid model: ONNX multiplies with broadcasting, and the
# result has two numbers. One would guess that a graph optimization changes a model's speed, never whether it runs. But from the level
# "extended" on, and so by default, SimplifiedLayerNormFusion takes the scale into a node that asks for one as wide as x: the model loads, and
# each run ends with "Scale and (optional) bias must match X.shape[axis:]". It matters to whoever deploys exported networks: a model that was
# checked without optimizations, as reference comparisons are, fails in the service; and where a run is only made later, it is found out by users.
# The fusion can be left out by its name (session configuration optimization.disable_specified_optimizers), which this shows, too.
# Reported for 1.20.1 as onnx/onnx#8203.
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
  <ItemGroup><PackageReference Include="Microsoft.ML.OnnxRuntime" Version="[1.31.1]" /></ItemGroup>
</Project>
P
cat >Program.cs <<'P'
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

// The model, field by field as onnx.proto numbers them.
byte[] model =
[
    .. Number(1, 8),
    .. Part(7,
    [
        .. Node("Pow", ["x", "two"], "squares"), .. Node("ReduceMean", ["squares"], "mean", Axes()), .. Node("Add", ["mean", "eps"], "sum"),
        .. Node("Sqrt", ["sum"], "root"), .. Node("Div", ["x", "root"], "normal"), .. Node("Mul", ["normal", "scale"], "y"),
        .. Text(2, "rms"), .. Constant("two", [], 2), .. Constant("eps", [], 1e-5f), .. Constant("scale", [2], 0.5f, 2),
        .. Tensor(11, "x", 1, 1), .. Tensor(12, "y", 1, 2),
    ]),
    .. Part(8, [.. Text(1, ""), .. Number(2, 13)]),
];
var asItIs = Run(GraphOptimizationLevel.ORT_DISABLE_ALL, null);
var byDefault = Run(GraphOptimizationLevel.ORT_ENABLE_ALL, null);
var without = Run(GraphOptimizationLevel.ORT_ENABLE_ALL, "SimplifiedLayerNormFusion");
Console.WriteLine($"as it is:           {asItIs}\nby default:         {byDefault}\nwithout the fusion: {without}");
return asItIs == "0.5 2" && without == asItIs && byDefault.Contains("Scale and (optional) bias must match") ? 0 : 1;

string Run(GraphOptimizationLevel level, string? left)
{
    try
    {
        using var options = new SessionOptions { GraphOptimizationLevel = level, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        if (left is not null) options.AddSessionConfigEntry("optimization.disable_specified_optimizers", left);
        using var session = new InferenceSession(model, options);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("x", new DenseTensor<float>(new[] { 3f }, [1, 1]))]);
        return string.Join(' ', results[0].AsEnumerable<float>().Select(value => Math.Round(value, 4)));
    }
    catch (OnnxRuntimeException exception)
    {
        return exception.Message.ReplaceLineEndings(" ");
    }
}

static byte[] Node(string op, string[] inputs, string output, byte[]? attribute = null) =>
    Part(1, [.. inputs.SelectMany(input => Text(1, input)), .. Text(2, output), .. Text(3, output), .. Text(4, op), .. attribute ?? []]);
static byte[] Axes() => Part(5, [.. Text(1, "axes"), .. Number(8, -1), .. Number(20, 7)]);
static byte[] Constant(string name, long[] dims, params float[] values) => Part(5,
    [.. dims.SelectMany(size => Number(1, size)), .. Number(2, 1), .. Text(8, name), .. Part(9, [.. values.SelectMany(BitConverter.GetBytes)])]);
static byte[] Tensor(int field, string name, params long[] dims) => Part(field, [.. Text(1, name), .. Part(2, Part(1,
    [.. Number(1, 1), .. Part(2, [.. dims.SelectMany(size => Part(1, Number(1, size)))])]))]);
static byte[] Text(int field, string text) => Part(field, Encoding.UTF8.GetBytes(text));
static byte[] Part(int field, byte[] content) => [.. Varint((field << 3) | 2), .. Varint(content.Length), .. content];
static byte[] Number(int field, long value) => [.. Varint(field << 3), .. Varint(value)];
static byte[] Varint(long value)
{
    var bytes = new List<byte>();
    for (var rest = (ulong)value; ; rest >>= 7)
    {
        if (rest < 128) return [.. bytes, (byte)rest];
        bytes.Add((byte)(rest | 128));
    }
}
P
dotnet run -c Release --property:RestorePackagesPath="$folder/packages"

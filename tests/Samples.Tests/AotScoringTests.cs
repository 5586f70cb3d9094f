using System.Diagnostics;
using System.Reflection;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Tests.NamedColumns;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>
/// The sample that is compiled ahead of time: warnings of trimming and AOT are errors, and it says what the ordinary build says.
/// </summary>
public sealed class AotScoringTests(AotScoringTests.Published published) : IClassFixture<AotScoringTests.Published>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [AotFact]
    public void Score_Customer_AsJsonAndAsARecord()
    {
        var model = CustomerModel.Write(_folder.File("customers.onnx"), ModelMetadata.Binary, factor: 0.001f);
        var lines = Said(
            "score", model, """{ "tenure": 3, "contract_kind": "Month", "joined": "2024-01-03", "partner": true }""").Split('\n');

        // (3 + 100 + 2 · 1000) / 1000
        var probability = 1 / (1 + Math.Exp(-2.103));
        Assert.Equal(["as JSON", "as a record"], lines.Select(line => line.Split(": ")[0]));
        foreach (var words in lines.Select(line => line.Split(": ")[1].Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)))
        {
            Assert.Equal("leaves", words[0]);
            Assert.Equal(probability, double.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture), 1e-6);
        }
    }

    [AotFact]
    public void Score_RowThatLacksColumns_IsToldSo() => Assert.Contains(
        "The row lacks the columns 'contract_kind', 'joined', 'partner'",
        published.Run("score", CustomerModel.Write(_folder.File("customers.onnx")), """{ "tenure": 3 }""").Error, StringComparison.Ordinal);

    [AotFact]
    public void Fold_Model_IsFoldedToTheSameBytes()
    {
        var nodes = new GraphBuilder("product with statistics");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, 2);
        var product = nodes.Node("MatMul", [x, nodes.Initializer(TensorData.Create("weights", [1f, 2], 2, 1))]);
        Value[] statistics = [.. new[] { ("gamma", 2f), ("beta", 1), ("mean", 0.5f), ("variance", 4) }
            .Select(one => nodes.Initializer(TensorData.Create(one.Item1, [one.Item2], 1)))];
        nodes.Output("y", nodes.Node("BatchNormalization", [product, .. statistics]), DataType.Float, TensorDimension.Rows, 1);
        ModelFile.Write(nodes.Build(), _folder.File("model.onnx"));

        Assert.Equal("1 folded", published.Run("fold", _folder.File("model.onnx"), _folder.File("aot.onnx")).Output.Trim());
        Assert.Equal("1 folded", Published.RunOrdinary("fold", _folder.File("model.onnx"), _folder.File("folded.onnx")).Output.Trim());
        Assert.Equal(File.ReadAllBytes(_folder.File("folded.onnx")), File.ReadAllBytes(_folder.File("aot.onnx")));
    }

    // What both builds say.
    private string Said(params string[] arguments)
    {
        var (native, ordinary) = (published.Run(arguments), Published.RunOrdinary(arguments));
        Assert.True(native.ExitCode == 0, native.Error);
        Assert.Equal(ordinary.Output, native.Output);
        return native.Output.Trim();
    }

    /// <summary>The sample, compiled ahead of time.</summary>
    public sealed class Published : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Published()
        {
            if (AotFactAttribute.WhyNot is not null) return;
            // What is left out of the programs is the same without optimization, which would take half of the time.
            var result = Run(
                "dotnet", "publish", Project, "-c", Configuration, "--no-build", "-p:Optimize=false", "-p:NativeDebugSymbols=false",
                "-v", "quiet", "-nologo", "-o", _folder.Path);
            Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        }

        private static string Configuration =>
            typeof(Published).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

        private static string Project => typeof(Published).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "AotScoring").Value!;

        internal ToolResult Run(params string[] arguments) => Run(_folder.File("AotScoring"), arguments);

        internal static ToolResult RunOrdinary(params string[] arguments) =>
            Run("dotnet", [Path.Combine(Project, "bin", Configuration, "net10.0", "AotScoring.dll"), .. arguments]);

        public void Dispose() => _folder.Dispose();

        private static ToolResult Run(string program, params string[] arguments)
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            // What the test host was given by the SDK is not for another one, and nodes that stay would keep the pipes open.
            foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBuild", StringComparison.Ordinal)).ToList())
                start.Environment.Remove(name);
            start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromMinutes(8)))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within 8 minutes.");
            }

            return new ToolResult(process.ExitCode, output.Result, error.Result);
        }
    }

    private sealed class AotFactAttribute : FactAttribute
    {
        public AotFactAttribute() => Skip = WhyNot;

        public static string? WhyNot { get; } =
            OperatingSystem.IsLinux() && new[] { "clang", "gcc" }.Any(name => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
                .Split(':').Any(folder => File.Exists(Path.Combine(folder, name))))
            ? null
            : "On Linux, clang or gcc is needed (apt-get install gcc zlib1g-dev).";
    }
}

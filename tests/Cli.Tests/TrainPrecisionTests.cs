using System.Globalization;
using System.Text.Json;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Trainings whose models are written with fewer bits.</summary>
public sealed class TrainPrecisionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("float16")]
    [InlineData("int8")]
    public void Train_WithAPrecision_WritesItAndReportsBoth(string precision)
    {
        var result = Train("--precision", precision, "--precision-loss", "0.1");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Matches($"precision +{precision}, [0-9,]+ to [0-9,]+ bytes", result.Output);
        Assert.Matches("test with float32 +AUC 0[.]", result.Output);

        using var document = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        var metrics = document.RootElement;
        Assert.Equal(precision, metrics.GetProperty("precision").GetString());
        var reduction = metrics.GetProperty("reduction");
        Assert.True(reduction.GetProperty("bytes").GetInt64() < reduction.GetProperty("bytesFloat32").GetInt64());
        Assert.Equal(
            metrics.GetProperty("test").GetProperty("auc").GetDouble(),
            reduction.GetProperty("testFloat32").GetProperty("auc").GetDouble()
                - reduction.GetProperty("testLoss").GetProperty("auc").GetDouble(),
            1e-12);

        // What is written is what was measured: the accuracy again, from the predictions of the files.
        var model = ModelFile.Read(_folder.File("out/model.onnx"));
        Assert.Equal(precision, ModelFile.GetMetadata(model, ModelMetadata.Precision));
        Assert.Equal(
            reduction.GetProperty("largestRelativeDifference").GetDouble(),
            double.Parse(ModelFile.GetMetadata(model, ModelMetadata.PrecisionRelativeDifference)!, CultureInfo.InvariantCulture));
        var network = Score("model.onnx");
        var pipeline = Score("model.zip");
        Assert.Equal(network.Length, pipeline.Length);
        for (var row = 0; row < network.Length; row++) Assert.Equal(network[row], pipeline[row], 1e-4);
    }

    [Fact]
    public void Train_PrecisionLosesTooMuch_ExitsWith3AndWritesNothing()
    {
        // House prices lose about a hundredth of their RMSE in 8 bits.
        var arguments = new[] { "train", SampleTables.PathOf("ames.csv"), "--label", "Sale_Price", "--task", "regression", "--out", "out" };
        var result = Tool.Run(_folder.Path, [.. arguments, "--precision", "int8", "--precision-loss", "0.0005"]);
        Assert.True(result.ExitCode == 3, $"exit code {result.ExitCode}: {result.Error}");
        Assert.Contains("mlnetbn: With int8, rmse goes from ", result.Error, StringComparison.Ordinal);
        Assert.Empty(_folder.Files());
    }

    [Fact]
    public void Train_UnknownPrecision_IsWrongUsage()
    {
        var result = Train("--precision", "half");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'half' is no precision", result.Error, StringComparison.Ordinal);
    }

    private ToolResult Train(params string[] arguments)
    {
        _folder.Write("rows.csv", ChurnTables.First(1200));
        return Tool.Run(
            _folder.Path, ["train", "rows.csv", "--label", "churn", "--epochs", "4", "--preset", "fast", "--out", "out", .. arguments]);
    }

    private double[] Score(string model)
    {
        Assert.Equal(0, Tool.Run(_folder.Path, "score", $"out/{model}", "rows.csv", "--out", "scored.csv").ExitCode);
        var lines = File.ReadAllLines(_folder.File("scored.csv"));
        var column = Array.FindIndex(lines[0].Split(','), name => name.Contains("robability", StringComparison.Ordinal));
        return [.. lines.Skip(1).Select(line => double.Parse(line.Split(',')[column], CultureInfo.InvariantCulture))];
    }
}

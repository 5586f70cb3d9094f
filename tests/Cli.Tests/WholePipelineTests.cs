using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>train --whole-pipeline</c>.</summary>
public sealed class WholePipelineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WholePipeline_WritesIt()
    {
        _folder.Write("data.csv", ChurnTables.First(400));

        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", "--out", "out", "--epochs", "1", "--whole-pipeline");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(File.Exists(_folder.File("out/model.onnx")));
        Assert.True(File.Exists(_folder.File("out/pipeline.onnx")));
        Assert.Contains("19 columns in, Score, Probability, PredictedLabel out", result.Output, StringComparison.Ordinal);
        Assert.Contains("in 80 rows", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("differs for", result.Output, StringComparison.Ordinal);

        // It is given the table, as the other files are.
        var scores = new List<string>();
        foreach (var model in new[] { "model.onnx", "pipeline.onnx" })
        {
            var scored = Tool.Run(_folder.Path, "score", $"out/{model}", "data.csv", "--keep", "tenure", "--out", $"{model}.jsonl");
            Assert.True(scored.ExitCode == 0, scored.Error);
            scores.Add(File.ReadAllText(_folder.File($"{model}.jsonl")));
        }

        Assert.StartsWith("{\"tenure\":\"1\",\"PredictedLabel\":\"", scores[0], StringComparison.Ordinal);
        foreach (var (one, other) in scores[0].Split('\n').Zip(scores[1].Split('\n')))
            Assert.Equal(one[..Math.Min(one.Length, 45)], other[..Math.Min(other.Length, 45)]);
        var inspected = Tool.Run(_folder.Path, "inspect", "out/pipeline.onnx");
        Assert.Equal(0, inspected.ExitCode);
        Assert.Contains("tenure: a number, as 12.5", inspected.Output, StringComparison.Ordinal);
        Assert.Contains("contract: a text, as 'Month-to-month' or 'One year'", inspected.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_ModelThatSaysNothingOfColumns_SaysWhatToDo()
    {
        _folder.Write("data.csv", "a,b\n1,2\n");
        var nodes = new GraphBuilder("numbers");
        var x = nodes.Input("x", TensorProto.Types.DataType.Float, TensorDimension.Rows, 3);
        nodes.Output("y", nodes.Node("Relu", [x]), TensorProto.Types.DataType.Float, TensorDimension.Rows, 3);
        ModelFile.Write(nodes.Build(), _folder.File("numbers.onnx"));

        var result = Tool.Run(_folder.Path, "score", "numbers.onnx", "data.csv", "--out", "scores.csv");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("does not say how that is made from the columns of a table", result.Error, StringComparison.Ordinal);
        Assert.Contains("take model.onnx, model.zip or pipeline.onnx as 'mlnetbn train'", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tenure", "Score")]
    [InlineData("contract", "PredictedLabel")]
    [InlineData("churn", "Score")]
    [InlineData("churn", "Features")]
    public void Train_ColumnCalledLikeAnOutput_ChangesNothingElse(string column, string name)
    {
        var table = ChurnTables.First(400);
        _folder.Write("data.csv", table);
        var header = table.Split('\n')[0];
        Assert.Contains($"\"{column}\"", header.Split(','));
        _folder.Write("renamed.csv", header.Replace($"\"{column}\"", name, StringComparison.Ordinal) + table[header.Length..]);

        foreach (var (file, label) in new[] { ("data.csv", "churn"), ("renamed.csv", column == "churn" ? name : "churn") })
        {
            var result = Tool.Run(
                _folder.Path,
                ["train", file, "--label", label, "--out", $"{file}-out", "--preset", "fast", "--epochs", "1", "--whole-pipeline"]);
            Assert.True(result.ExitCode == 0, result.Error);
            foreach (var model in new[] { "model.zip", "pipeline.onnx" })
                Assert.Equal(0, Tool.Run(_folder.Path, "score", $"{file}-out/{model}", file, "--out", $"{file}-{model}-scores").ExitCode);
        }

        foreach (var model in new[] { "model.zip", "pipeline.onnx" })
            Assert.Equal(
                File.ReadAllText(_folder.File($"data.csv-{model}-scores")), File.ReadAllText(_folder.File($"renamed.csv-{model}-scores")));
    }
}

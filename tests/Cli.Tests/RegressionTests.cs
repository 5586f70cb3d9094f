using System.Globalization;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>A number: one training on the house prices, and what can be done with the files that it writes.</summary>
public sealed class RegressionTests : IClassFixture<RegressionTests.TrainedPrices>
{
    private readonly TrainedPrices _trained;

    public RegressionTests(TrainedPrices trained) => _trained = trained;

    [Fact]
    public void Train_Prices_SaysWhatItDid()
    {
        Assert.Contains("2,344 rows to learn from, 586 to test on", _trained.Training.Error, StringComparison.Ordinal);
        Assert.Contains("predicting Sale_Price: ", _trained.Training.Error, StringComparison.Ordinal);
        Assert.Matches("epoch +1/40 +loss [0-9.]+ +out-of-fold loss [0-9]", _trained.Training.Error);
        Assert.Matches("test RMSE +[0-9]", _trained.Training.Output);
        Assert.Matches("test MAE +[0-9]", _trained.Training.Output);
        Assert.Matches("test R² +0[.][0-9]{4}", _trained.Training.Output);
    }

    [Fact]
    public void Train_DefaultOptions_BeatsARidgeRegression()
    {
        // Measured elsewhere on the same split: ridge regression 35,392, a batch-norm network with clipped inputs and dropout 28,210.
        var test = _trained.Metrics.GetProperty("test");
        Assert.InRange(test.GetProperty("rmse").GetDouble(), 15_000, 28_500);
        Assert.InRange(test.GetProperty("mae").GetDouble(), 8_000, 20_000);
        Assert.InRange(test.GetProperty("rSquared").GetDouble(), 0.883, 0.97);
        Assert.Equal("regression", _trained.Metrics.GetProperty("task").GetString());
    }

    [Fact]
    public void Score_NetworkAndPipeline_GiveTheSamePrices()
    {
        var network = Score("model.onnx");
        var pipeline = Score("model.zip");
        var lines = SampleTables.TestPart("ames.csv").TrimEnd().Split('\n');
        var column = Array.IndexOf(lines[0].Replace("\"", string.Empty, StringComparison.Ordinal).Split(','), "Sale_Price");
        var prices = lines.Skip(1).Select(line => double.Parse(line.Split(',')[column].Trim('"'), CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(586, network.Length);
        Assert.Equal(network.Length, pipeline.Length);
        for (var row = 0; row < network.Length; row++) Assert.Equal(network[row], pipeline[row], 1e-5 * Math.Abs(network[row]));

        // The figures of the training, recomputed from what a user gets.
        var rmse = Math.Sqrt(network.Zip(prices, (predicted, price) => (predicted - price) * (predicted - price)).Average());
        Assert.Equal(_trained.Metrics.GetProperty("test").GetProperty("rmse").GetDouble(), rmse, 0.01);
    }

    [Fact]
    public void Export_FoldedModel_SaysItsTask()
    {
        var folded = ModelFile.Read(_trained.Folder.File("out/model.onnx"));
        Assert.Equal("regression", ModelFile.GetMetadata(folded, ModelMetadata.Task));
        Assert.Equal("[]", ModelFile.GetMetadata(folded, ModelMetadata.Labels));
        Assert.DoesNotContain(folded.Graph.Node, node => node.OpType == "BatchNormalization");
    }

    private double[] Score(string model)
    {
        var lines = _trained.Score(model);
        Assert.Equal("Score", lines[0]);
        return [.. lines.Skip(1).Select(line => double.Parse(line, CultureInfo.InvariantCulture))];
    }

    /// <summary>One training for all tests of this class.</summary>
    public sealed class TrainedPrices() : TrainedSample("ames.csv", "Sale_Price", "regression");
}

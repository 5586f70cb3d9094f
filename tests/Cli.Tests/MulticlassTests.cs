using System.Globalization;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Several classes: one training on the letters, and what can be done with the files that it writes.</summary>
public sealed class MulticlassTests : IClassFixture<MulticlassTests.TrainedLetters>
{
    private readonly TrainedLetters _trained;

    public MulticlassTests(TrainedLetters trained) => _trained = trained;

    [Fact]
    public void Train_Letters_SaysWhatItDid()
    {
        Assert.Contains("16,000 rows to learn from, 4,000 to test on", _trained.Training.Error, StringComparison.Ordinal);
        Assert.Contains("predicting lettr: 26 classes: A", _trained.Training.Error, StringComparison.Ordinal);
        Assert.Matches("epoch +1/.* accuracy 0", _trained.Training.Error);
        Assert.Matches("test accuracy +0[.]9", _trained.Training.Output);
        Assert.Matches("test macro-accuracy +0[.]9", _trained.Training.Output);
        Assert.Matches("test log-loss +0[.]", _trained.Training.Output);
        Assert.Contains("2 before folding, 0 after", _trained.Training.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_DefaultOptions_IsAsGoodAsTheBestKnown()
    {
        // Measured elsewhere on the same split: a batch-norm network 0.9718, gradient boosting 0.9682, logistic regression 0.7662.
        var test = _trained.Metrics.GetProperty("test");
        Assert.True(test.GetProperty("accuracy").GetDouble() >= 0.970, test.ToString());
        Assert.InRange(test.GetProperty("macroAccuracy").GetDouble(), 0.965, 0.995);
        Assert.InRange(test.GetProperty("logLoss").GetDouble(), 0.01, 0.15);
        Assert.Equal("multiclass", _trained.Metrics.GetProperty("task").GetString());
        Assert.Equal(26, _trained.Metrics.GetProperty("classes").GetArrayLength());
    }

    [Fact]
    public void Score_NetworkAndPipeline_GiveTheSameProbabilities()
    {
        var network = Score("model.onnx");
        var pipeline = Score("model.zip");
        var labels = File.ReadLines(_trained.Folder.File("test.csv")).Skip(1).Select(line => line.Split(',')[0].Trim('"')).ToArray();
        Assert.Equal(4000, network.Count);
        Assert.Equal(network.Count, pipeline.Count);
        int right = 0;
        for (var row = 0; row < network.Count; row++)
        {
            Assert.Equal(network[row].Label, pipeline[row].Label);
            for (var i = 0; i < 26; i++) Assert.Equal(network[row].Probabilities[i], pipeline[row].Probabilities[i], 1e-5);
            Assert.Equal(1, network[row].Probabilities.Sum(), 1e-4);
            if (network[row].Label == labels[row]) right++;
        }

        // The figure of the training, recomputed from what a user gets.
        Assert.Equal(_trained.Metrics.GetProperty("test").GetProperty("accuracy").GetDouble(), right / 4000.0, 1e-9);
    }

    [Fact]
    public void Export_FoldedModel_NamesItsClasses()
    {
        var folded = ModelFile.Read(_trained.Folder.File("out/model.onnx"));
        Assert.Equal("multiclass", ModelFile.GetMetadata(folded, ModelMetadata.Task));
        Assert.StartsWith("[\"A\",\"B\",\"C\"", ModelFile.GetMetadata(folded, ModelMetadata.Labels), StringComparison.Ordinal);
        Assert.DoesNotContain(folded.Graph.Node, node => node.OpType == "BatchNormalization");
    }

    private List<(string Label, double[] Probabilities)> Score(string model)
    {
        var lines = _trained.Score(model);
        Assert.StartsWith("PredictedLabel,Probability.A,Probability.B,", lines[0], StringComparison.Ordinal);
        return [.. lines.Skip(1).Select(line => line.Split(',')).Select(fields =>
            (fields[0], Array.ConvertAll(fields[1..], field => double.Parse(field, CultureInfo.InvariantCulture))))];
    }

    /// <summary>One training for all tests of this class.</summary>
    public sealed class TrainedLetters() : TrainedSample("letters.csv", "lettr", "multiclass");
}

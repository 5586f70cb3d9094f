using System.Globalization;
using System.Text.RegularExpressions;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>The samples that train: they end well, learn something, and write files that can be used.</summary>
public sealed class MachineLearningSamplesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Churn_LearnsWhoLeaves()
    {
        var output = SampleProgram.Run("Churn", _folder.Path);
        Assert.InRange(Number(output, @"AUC (\S+),"), 0.8, 0.9);
        Assert.InRange(Number(output, @"accuracy (\S+)"), 0.76, 0.85);
        // Short contract, fibre, new: most of those leave.
        var probability = Number(output, @"leaves with probability (\S+)");
        Assert.InRange(probability, 0.5, 0.95);
        AssertWritten("churn", numbers: 2);

        // What the loaded pipeline said of the customer, the exported network says of the customer's features.
        using var scorer = OnnxScorer.Load(_folder.File("churn.onnx"));
        var row = TextList.FromJson(scorer.Metadata[ModelMetadata.FeatureNames]).Select(name => name switch
        {
            "Contract.Month-to-month" or "InternetService.Fiber optic" or "PaymentMethod.Electronic check" => 1f,
            "Tenure" => 2,
            "MonthlyCharges" => 85,
            _ => 0,
        });
        var result = new float[2];
        scorer.Score(row.ToArray(), result);
        Assert.Equal(probability, result[1], 0.0051);
    }

    [Fact]
    public void Letters_LearnsToRead()
    {
        var output = SampleProgram.Run("Letters", _folder.Path);
        Assert.InRange(Number(output, @"accuracy (\S+),"), 0.9, 1);
        Assert.InRange(Number(output, @"it is T, with probability (\S+)"), 0.5, 1);
        AssertWritten("letters", numbers: 52);
    }

    [Fact]
    public void Ames_LearnsPrices()
    {
        var output = SampleProgram.Run("Ames", _folder.Path);
        Assert.InRange(Number(output, @"R² (\S+),"), 0.75, 0.95);
        Assert.InRange(Number(output, @"error (\S+) dollars"), 12_000, 30_000);
        Assert.InRange(Number(output, @"worth about (\S+) dollars"), 90_000, 180_000);
        AssertWritten("ames", numbers: 1);
    }

    [Fact]
    public void Databases_LearnsFromAQuery()
    {
        var output = SampleProgram.Run("Databases", _folder.Path);
        Assert.InRange(Number(output, @"AUC (\S+),"), 0.8, 0.9);
        Assert.InRange(Number(output, @"accuracy (\S+)"), 0.76, 0.85);
    }

    private static double Number(string output, string pattern)
    {
        var match = Regex.Match(output, pattern);
        Assert.True(match.Success, $"'{pattern}' was not found in:\n{output}");
        return double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    private void AssertWritten(string name, int numbers)
    {
        Assert.Equal([$"{name}.onnx", $"{name}.zip"], _folder.Files());
        using var scorer = OnnxScorer.Load(_folder.File($"{name}.onnx"));
        Assert.Equal(numbers, scorer.ResultLength);
    }
}

using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class RegressionTableTaskTests
{
    // Sums in whole numbers, by hand.
    [Theory]
    [InlineData(1700000000123459072, 256, "1700000000123459328")]
    [InlineData(123456789012345680, -3, "123456789012345677")]
    [InlineData(1234567820, 0.5, "1234567820.5")]
    [InlineData(0, 0.1f, "0.1")]
    public void WritePrediction_OffsetOfManyDigits_KeepsThemAll(double offset, float value, string expected)
    {
        using var text = new StringWriter();
        using (var lines = PredictionWriter.Create(text, "p.csv", ["Score"]))
        {
            TableTask.Of(LearningTask.Regression).WritePrediction(lines, Prediction(value, offset), 0);
            lines.EndRow();
        }

        Assert.Equal($"Score\n{expected}", text.ToString().ReplaceLineEndings("\n").Trim());
    }

    private static TablePrediction Prediction(float value, double offset) =>
        new(TableTask.Of(LearningTask.Regression), [], 1, [value], offset);
}

using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Training;

public class RowMemoryTests
{
    [Fact]
    public void Fit_RowsOfMoreThanTheirMemory_SaysSoAndGivesTheSameScores()
    {
        var ml = new MLContext(seed: 1);
        var random = new Random(1);
        var rows = Enumerable.Range(0, 300).Select(_ => new Row { Features = [random.NextSingle(), random.NextSingle()] }).ToList();
        foreach (var row in rows) row.Label = row.Features[0] > row.Features[1];
        var data = ml.Data.LoadFromEnumerable(rows);

        var (inMemory, none) = Fit(null);
        var (inFile, warnings) = Fit(1000);

        Assert.DoesNotContain(none, warning => warning.Kind == TrainingWarningKind.RowsInFile);
        Assert.StartsWith(
            "the training rows take 0 MB, more than the 0 MB of memory for rows; they are in a file in '",
            Assert.Single(warnings, warning => warning.Kind == TrainingWarningKind.RowsInFile).Message,
            StringComparison.Ordinal);
        Assert.Equal(inMemory, inFile);

        (float[] Scores, List<TrainingWarning> Warnings) Fit(long? memory)
        {
            var heard = new List<TrainingWarning>();
            using var model = ml.BinaryClassification.Trainers.BatchNormNetwork(new BatchNormNetworkOptions
            {
                Preset = Preset.Fast,
                Epochs = 2,
                Seed = 1,
                Device = Device.Cpu,
                RowMemory = memory,
                Warning = heard.Add,
            }).Fit(data);
            return ([.. model.Transform(data).GetColumn<float>("Score")], heard);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Create_NoMemoryForRows_Throws(long memory)
    {
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => new MLContext().BinaryClassification.Trainers.BatchNormNetwork(
            new BatchNormNetworkOptions { RowMemory = memory }));

        Assert.Contains("bytes above 0", exception.Message, StringComparison.Ordinal);
    }

    private sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        public bool Label { get; set; }
    }
}

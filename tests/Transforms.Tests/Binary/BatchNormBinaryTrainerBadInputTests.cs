using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class BatchNormBinaryTrainerBadInputTests
{
    private static readonly BatchNormNetworkOptions Quick = new() { HiddenLayers = [4], Epochs = 1, Device = Device.Cpu, Seed = 0 };

    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Fit_FeatureNotFinite_NamesRowAndColumn(float value)
    {
        var rows = Moons.Create(50);
        rows[17].Features[1] = value;
        var exception = Assert.Throws<InvalidDataException>(() => Fit(rows));
        Assert.Contains("Row 17", exception.Message, StringComparison.Ordinal);
        Assert.Contains("'Features', slot 1", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fit_OneClass_SaysWhich(bool label)
    {
        var rows = Moons.Create(50);
        foreach (var row in rows) row.Label = label;
        var exception = Assert.Throws<InvalidDataException>(() => Fit(rows));
        Assert.Contains($"is {(label ? "true" : "false")} in all 50 rows", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NoRows_SaysSo() =>
        Assert.Contains("no rows", Assert.Throws<InvalidDataException>(() => Fit([])).Message, StringComparison.Ordinal);

    [Fact]
    public void Fit_ColumnMissing_ListsTheColumns()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(10));
        var exception = Assert.Throws<ArgumentException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork("Churned").Fit(data));
        Assert.Contains(
            "There is no label column 'Churned'; the columns are Features, Label, Weight, Name",
            exception.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_LabelOfAnotherType_SaysWhatWasExpected()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(10));
        var exception = Assert.Throws<ArgumentException>(() => _ml.BinaryClassification.Trainers.BatchNormNetwork("Name").Fit(data));
        Assert.Contains("Boolean was expected", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_FeaturesNotAVector_SaysWhatToDo()
    {
        var data = _ml.Data.LoadFromEnumerable(Moons.Create(10));
        var exception = Assert.Throws<ArgumentException>(
            () => _ml.BinaryClassification.Trainers.BatchNormNetwork(featureColumnName: "Weight").Fit(data));
        Assert.Contains("Concatenate", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RecomputeStatistics_VectorsOfVaryingLength_NamesTheRow()
    {
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(50)));
        var rows = Enumerable.Range(0, 20).Select(i => new Varying { Features = new float[i == 12 ? 3 : 2], Label = i % 2 == 0 });
        var exception = Assert.Throws<InvalidDataException>(() => model.RecomputeStatistics(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("Row 12 has 3 values", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Transform_OtherNumberOfFeatures_SaysBothNumbers()
    {
        using var model = _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(Moons.Create(50)));
        var other = _ml.Transforms.Concatenate("Features", "Features", "Weight").Fit(_ml.Data.LoadFromEnumerable(Moons.Create(5)))
            .Transform(_ml.Data.LoadFromEnumerable(Moons.Create(5)));
        var exception = Assert.Throws<ArgumentException>(() => model.Transform(other));
        Assert.Contains("has 3 values, but the network was trained on 2", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NegativeWeight_NamesTheRow()
    {
        var rows = Moons.Create(50);
        rows[3].Weight = -1;
        var exception = Assert.Throws<InvalidDataException>(() => _ml.BinaryClassification.Trainers
            .BatchNormNetwork(Quick with { ExampleWeightColumnName = "Weight" }).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("Row 3 has -1 in the weight column 'Weight'", exception.Message, StringComparison.Ordinal);
    }

    private void Fit(Moons.Row[] rows) =>
        _ml.BinaryClassification.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(rows)).Dispose();

    private sealed class Varying
    {
        [VectorType]
        public float[] Features { get; set; } = [];

        public bool Label { get; set; }
    }
}

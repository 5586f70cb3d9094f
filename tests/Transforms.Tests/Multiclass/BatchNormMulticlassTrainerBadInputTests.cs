using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests;

public sealed class BatchNormMulticlassTrainerBadInputTests
{
    private static readonly BatchNormNetworkOptions Quick = new() { HiddenLayers = [4], Epochs = 1, Device = Device.Cpu, Seed = 0 };

    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_LabelIsText_SaysWhatToDo()
    {
        var exception = Assert.Throws<ArgumentException>(
            () => _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick).Fit(_ml.Data.LoadFromEnumerable(Clouds.Create(10))));
        Assert.Contains("MapValueToKey", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_OneOfTheClasses_SaysSo()
    {
        // Keys for three classes, but rows of one.
        var rows = _ml.Data.LoadFromEnumerable(Clouds.Create(50));
        var toKey = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(rows);
        var same = Clouds.Create(50);
        foreach (var row in same) row.Label = "blue";
        var exception = Assert.Throws<InvalidDataException>(() => _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick)
            .Fit(toKey.Transform(_ml.Data.LoadFromEnumerable(same))));
        Assert.Contains("has the key 2 in all 50 rows", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_KeysOfOneClass_SaysSo()
    {
        var same = Clouds.Create(50);
        foreach (var row in same) row.Label = "blue";
        var exception = Assert.Throws<ArgumentException>(() => _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick)).Fit(_ml.Data.LoadFromEnumerable(same)));
        Assert.Contains("has 1 class", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_ClassNotKnown_NamesTheRow()
    {
        var toKey = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(_ml.Data.LoadFromEnumerable(Clouds.Create(50)));
        var rows = Clouds.Create(50);
        rows[23].Label = "yellow";
        var exception = Assert.Throws<InvalidDataException>(() => _ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick)
            .Fit(toKey.Transform(_ml.Data.LoadFromEnumerable(rows))));
        Assert.Contains("Row 23 has no class", exception.Message, StringComparison.Ordinal);
        Assert.Contains("'Label'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NetworkWithOtherOutputs_SaysHowMany()
    {
        var network = Network.Input(2).Dense(8).BatchNorm().Relu().Dense(5);
        var exception = Assert.Throws<ArgumentException>(() => _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.BatchNormNetwork(Quick with { HiddenLayers = null, Network = network }))
            .Fit(_ml.Data.LoadFromEnumerable(Clouds.Create(50))));
        Assert.Contains("gives 5 values for a row, but 3 are needed", exception.Message, StringComparison.Ordinal);
    }
}

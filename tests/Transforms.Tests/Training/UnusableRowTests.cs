using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Rows that cannot be learned from: left out on request, as ML.NET's own trainers do without being asked.</summary>
public sealed class UnusableRowTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<TrainingWarning> _warnings = [];
    private readonly BatchNormNetworkOptions _quick;

    public UnusableRowTests() => _quick = new()
    {
        HiddenLayers = [8],
        Epochs = 2,
        ValidationFraction = 0,
        Device = Device.Cpu,
        ExampleWeightColumnName = "Weight",
        UnusableRows = UnusableRows.Skip,
        Warning = _warnings.Add,
    };

    [Fact]
    public void Fit_BinarySkip_EqualsTrainingWithoutThem()
    {
        var rows = Moons.Create(120);
        (rows[7].Features[1], rows[50].Features[0], rows[90].Weight, rows[91].Weight) = (float.NaN, float.NegativeInfinity, -1, float.NaN);
        var trainer = _ml.BinaryClassification.Trainers.BatchNormNetwork(_quick);
        RequireSame(trainer.Fit(Load(rows)), trainer.Fit(Load(Without(rows, 7, 50, 90, 91))));
        var warning = LeftOut();
        Assert.Contains("4 of 120 training rows were left out", warning, StringComparison.Ordinal);
        Assert.Contains("Row 7 has NaN in the column 'Features', slot 1", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_MulticlassSkip_LeavesOutMissingKeys()
    {
        var toKey = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(Load(Clouds.Create(120)));
        var rows = Clouds.Create(120);
        (rows[11].Label, rows[12].Label) = ("yellow", string.Empty);
        var trainer = _ml.MulticlassClassification.Trainers.BatchNormNetwork(_quick);
        RequireSame(trainer.Fit(toKey.Transform(Load(rows))), trainer.Fit(toKey.Transform(Load(Without(rows, 11, 12)))));
        Assert.Contains("Row 11 has no class", LeftOut(), StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_RegressionSkip_LeavesOutLabelsThatAreNoNumbers()
    {
        var rows = Waves.Create(120);
        (rows[0].Label, rows[119].Label) = (float.NaN, float.PositiveInfinity);
        var trainer = _ml.Regression.Trainers.BatchNormNetwork(_quick);
        RequireSame(trainer.Fit(Load(rows)), trainer.Fit(Load(Without(rows, 0, 119))));
        Assert.Contains("2 of 120 training rows", LeftOut(), StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_SkipInValidationRows_SaysWhichView()
    {
        var validation = Waves.Create(30, seed: 2);
        validation[4].Features[0] = float.NaN;
        using var model = _ml.Regression.Trainers.BatchNormNetwork(_quick).Fit(Load(Waves.Create(120)), Load(validation));
        Assert.Contains("1 of 30 validation rows", LeftOut(), StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_NothingLeft_SaysWhy()
    {
        var rows = Waves.Create(10);
        foreach (var row in rows) row.Label = float.NaN;
        var exception = Assert.Throws<InvalidDataException>(() => _ml.Regression.Trainers.BatchNormNetwork(_quick).Fit(Load(rows)));
        Assert.Contains("all 10 were left out. The first: Row 0 has NaN", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Transform_NaNFeature_GivesNaNForThatRowOnly()
    {
        var rows = Waves.Create(120);
        using var model = _ml.Regression.Trainers.BatchNormNetwork(_quick).Fit(Load(rows));
        var clean = model.Transform(Load(rows)).GetColumn<float>("Score").ToArray();
        rows[40].Features[1] = float.NaN;
        var scores = model.Transform(Load(rows)).GetColumn<float>("Score").ToArray();
        for (var i = 0; i < rows.Length; i++)
            if (i != 40) Assert.Equal(clean[i], scores[i]);
        Assert.Equal(float.NaN, scores[40]);
    }

    private static void RequireSame(BatchNormTransformer actual, BatchNormTransformer expected)
    {
        foreach (var (name, values) in expected.Model.Parameters) Assert.Equal(values, actual.Model.Parameters[name]);
        actual.Dispose();
        expected.Dispose();
    }

    private static IEnumerable<T> Without<T>(T[] rows, params int[] left) => rows.Where((_, index) => !left.Contains(index));

    private IDataView Load<T>(IEnumerable<T> rows)
        where T : class => _ml.Data.LoadFromEnumerable(rows);

    private string LeftOut() => Assert.Single(_warnings, warning => warning.Kind == TrainingWarningKind.RowsLeftOut).Message;
}

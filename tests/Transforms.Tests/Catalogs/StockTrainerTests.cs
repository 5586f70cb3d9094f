using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>What docs/mlnet.md says of ML.NET's own trainers.</summary>
public sealed class StockTrainerTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Fit_NaNFeature_SkipsTheRow()
    {
        var rows = Moons.Create(200);
        foreach (var row in rows) row.Features = [(row.Features[0] - 100) / 10, row.Features[1] * 100];
        var clean = rows.Where((_, index) => index % 10 != 0).ToArray();
        for (var i = 0; i < rows.Length; i += 10) rows[i].Features = [float.NaN, 0];
        var trainer = _ml.BinaryClassification.Trainers.LbfgsLogisticRegression();
        var withNaN = trainer.Fit(_ml.Data.LoadFromEnumerable(rows)).Model.SubModel;
        var without = trainer.Fit(_ml.Data.LoadFromEnumerable(clean)).Model.SubModel;
        Assert.Equal(without.Bias, withNaN.Bias, 1e-3f);
    }

    [Fact]
    public void Fit_Multiclass_NamesTheSlotsOfScore()
    {
        var data = Trainers.Data(_ml, LearningTask.Multiclass, 200);
        var scored = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.MulticlassClassification.Trainers.LbfgsMaximumEntropy())
            .Fit(data).Transform(data);
        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        Assert.Equal(Clouds.Classes, names.DenseValues().Select(name => name.ToString()));
    }

    [Fact]
    public void CalculateFeatureContribution_Linear_Works()
    {
        var data = Trainers.Data(_ml, LearningTask.Regression, 100);
        var model = _ml.Regression.Trainers.Sdca(maximumNumberOfIterations: 2).Fit(data);
        var explained = _ml.Transforms.CalculateFeatureContribution(model).Fit(model.Transform(data)).Transform(model.Transform(data));
        Assert.Equal(100, explained.GetColumn<float[]>("FeatureContributions").Count());
    }
}

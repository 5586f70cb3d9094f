using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests.Guide;

/// <summary>The code that docs/lightgbm.md shows, run.</summary>
public sealed class LightGbmGuide
{
    [Fact]
    public void BothOnTheSameFolds()
    {
        var ml = new MLContext(seed: 1);
        var data = ml.Data.LoadFromEnumerable(Moons.Create(600));
        var front = ml.Transforms.CopyColumns("Churn", "Label");

        var trees = front.Append(ml.BinaryClassification.Trainers.LightGbm(labelColumnName: "Churn"));
        var network = front.Append(ml.BinaryClassification.Trainers.BatchNormNetwork(labelColumnName: "Churn"));

        var ofTrees = ml.BinaryClassification.CrossValidate(data, trees, numberOfFolds: 3, labelColumnName: "Churn", seed: 1);
        var ofNetwork = ml.BinaryClassification.CrossValidate(data, network, numberOfFolds: 3, labelColumnName: "Churn", seed: 1);
        var ahead = ofNetwork.Average(fold => fold.Metrics.AreaUnderRocCurve) - ofTrees.Average(fold => fold.Metrics.AreaUnderRocCurve);

        // Both tell the moons apart.
        Assert.InRange(ahead, -0.05, 0.05);
        Assert.True(ofTrees[0].Metrics.AreaUnderRocCurve > 0.9, $"AUC {ofTrees[0].Metrics.AreaUnderRocCurve}");
        foreach (var fold in ofNetwork) (fold.Model as IDisposable)?.Dispose();
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

public sealed class FeatureImportanceTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void PermutationFeatureImportance_Binary_FindsWhatMatters()
    {
        var (model, data) = Fit(LearningTask.Binary);
        var importance = _ml.BinaryClassification.PermutationFeatureImportance(
            (BatchNormBinaryTransformer)model, data, permutationCount: 3);
        RequireTwoOfThree(importance.Select(feature => feature.AreaUnderRocCurve.Mean));
    }

    [Fact]
    public void PermutationFeatureImportance_Multiclass_FindsWhatMatters()
    {
        var (model, data) = Fit(LearningTask.Multiclass);
        var importance = _ml.MulticlassClassification.PermutationFeatureImportance(
            (BatchNormMulticlassTransformer)model, data, permutationCount: 3);
        RequireTwoOfThree(importance.Select(feature => feature.MicroAccuracy.Mean));
    }

    [Fact]
    public void PermutationFeatureImportance_Regression_FindsWhatMatters()
    {
        var (model, data) = Fit(LearningTask.Regression);
        var importance = _ml.Regression.PermutationFeatureImportance((BatchNormRegressionTransformer)model, data, permutationCount: 3);
        RequireTwoOfThree(importance.Select(feature => feature.RSquared.Mean));
    }

    [Fact]
    public void PermutationFeatureImportance_OfAChain_TakesItsLastTransformer()
    {
        var ml = _ml;
        var data = Trainers.Data(ml, LearningTask.Binary, 300);

        var front = ml.Transforms.Concatenate("All", "Features", "Weight").Fit(data);
        var rows = front.Transform(data);
        using var model = ml.BinaryClassification.Trainers.BatchNormNetwork("Label", "All").Fit(rows);

        // One entry for each slot of "All".
        var importance = ml.BinaryClassification.PermutationFeatureImportance(model, rows, permutationCount: 3);

        Assert.Equal(3, importance.Length);
        Assert.Equal(0, importance[2].AreaUnderRocCurve.Mean);
    }

    [Fact]
    public void PermutationFeatureImportance_OverloadForAnyTransformer_TakesOnlyMlNetsOwn()
    {
        // It looks for an interface that is internal to ML.NET.
        var (model, data) = Fit(LearningTask.Regression);
        var exception = Assert.ThrowsAny<Exception>(() => _ml.Regression.PermutationFeatureImportance((ITransformer)model, data));
        Assert.Contains("does not have a compatible predictor", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CalculateFeatureContribution_NeedsWhatOnlyMlNetCanMake()
    {
        // It takes a model that is an ICalculateFeatureContribution, whose one property has a type that nobody outside can create.
        var (model, _) = Fit(LearningTask.Binary);
        Assert.Empty(typeof(FeatureContributionCalculator).GetConstructors());
        Assert.IsNotAssignableFrom<ISingleFeaturePredictionTransformer<ICalculateFeatureContribution>>(model);
        Assert.IsAssignableFrom<ISingleFeaturePredictionTransformer<object>>(model);
    }

    [Fact]
    public void Trainer_IsATrainerEstimator()
    {
        var trainer = Assert.IsAssignableFrom<ITrainerEstimator<ISingleFeaturePredictionTransformer<TrainedNetwork>, TrainedNetwork>>(
            _ml.Regression.Trainers.BatchNormNetwork(Trainers.Quick with { Epochs = 1 }));
        Assert.False(trainer.Info.NeedNormalization);
        Assert.False(trainer.Info.WantCaching);
        var model = trainer.Fit(Trainers.Data(_ml, LearningTask.Regression, 50));
        Assert.Equal(new VectorDataViewType(NumberDataViewType.Single, 2), model.FeatureColumnType);
        Assert.Equal("Features", model.FeatureColumnName);
        Assert.Single(model.Model.History);
    }

    // The third feature is the same in all rows.
    private (BatchNormTransformer Model, IDataView Data) Fit(LearningTask task)
    {
        var all = _ml.Transforms.Concatenate("All", "Features", "Weight");
        var data = Trainers.Data(_ml, task, 300);
        var model = all.Append(Trainers.Pipeline(_ml, task, Trainers.Quick with { FeatureColumnName = "All" })).Fit(data);
        return (((TransformerChain<BatchNormTransformer>)model.LastTransformer).LastTransformer, model.Transform(data));
    }

    private static void RequireTwoOfThree(IEnumerable<double> changes)
    {
        var change = changes.ToArray();
        Assert.Equal(3, change.Length);
        Assert.True(change[0] < -0.02, $"first feature: {change[0]}");
        Assert.True(change[1] < -0.02, $"second feature: {change[1]}");
        Assert.Equal(0, change[2]);
    }
}

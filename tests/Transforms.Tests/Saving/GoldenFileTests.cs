using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests.Saving;

public sealed class GoldenFileTests
{
    [Theory]
    [InlineData(LearningTask.Binary)]
    [InlineData(LearningTask.Multiclass)]
    [InlineData(LearningTask.Regression)]
    public void Load_FileOfFormat1_PredictsWhatItDidWhenItWasSaved(LearningTask task)
    {
        var ml = new MLContext();
        var loaded = ml.Model.Load(GoldenModels.ModelPath(task, 1), out _);
        Assert.Equal(20, GoldenModels.Expected(task, 1).Length);
        GoldenModels.AssertClose(GoldenModels.Expected(task, 1), GoldenModels.Predict(ml, loaded, task));
    }
}

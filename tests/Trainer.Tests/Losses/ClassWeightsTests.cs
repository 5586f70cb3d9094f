namespace MlNetBatchNorm.Trainer.Tests.Losses;

public class ClassWeightsTests
{
    private static readonly string[] Two = ["no", "yes"];
    private static readonly string[] Three = ["a", "b", "c"];

    [Fact]
    public void Balanced_TwoClasses_AreScikitLearnsWeights()
    {
        // compute_class_weight("balanced", classes=[0, 1], y=[0, 0, 0, 1]) = [0.66666667, 2.]
        var rows = new TrainingData(new SampleShape(1), 1, [1, 2, 3, 4], [0, 0, 0, 1]);
        Assert.Equal([2 / 3f, 2f], ClassWeights.Balanced.For(Two, rows));
    }

    [Fact]
    public void Balanced_WeightedRows_CountByTheirWeights()
    {
        var rows = new TrainingData(new SampleShape(1), 1, [1, 2, 3, 4], [0, 0, 0, 1], [1, 1, 2, 4]);
        Assert.Equal([1f, 1f], ClassWeights.Balanced.For(Two, rows));
    }

    [Fact]
    public void Balanced_ClassWithoutRows_HasTheWeightOne()
    {
        var rows = new TrainingData(new SampleShape(1), 3, [1, 2, 3], [1, 0, 0, 1, 0, 0, 0, 1, 0]);
        Assert.Equal([0.5f, 1f, 1f], ClassWeights.Balanced.For(Three, rows));
    }

    [Fact]
    public void Parse_Names_GivesTheirWeightsAndOneToTheOthers()
    {
        var rows = new TrainingData(new SampleShape(1), 3, [1], [1, 0, 0]);
        Assert.Equal([1f, 2.5f, 0.5f], ClassWeights.Parse("c=0.5, b=2.5").For(Three, rows));
        Assert.Equal([1f, 2.5f, 0.5f], ClassWeights.Parse("c=0.5, b=2.5").Rename(Three, ["x", "y", "z"]).For(["x", "y", "z"], rows));
    }

    [Theory]
    [InlineData("heavy")]
    [InlineData("a=1,a=2")]
    [InlineData("a=")]
    [InlineData("=3")]
    public void Parse_Mistake_SaysWhatToWrite(string text) =>
        Assert.Contains(
            "write balanced, or each class once",
            Assert.Throws<FormatException>(() => ClassWeights.Parse(text)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void For_UnknownClass_NamesIt() => Assert.Contains(
        "class 'd', but the classes are a, b, c",
        Assert.Throws<ArgumentException>(
            () => ClassWeights.Parse("d=2").For(Three, new TrainingData(new SampleShape(1), 3, [1], [1, 0, 0]))).Message,
        StringComparison.Ordinal);

    [Fact]
    public void WithClassWeights_EachLoss_TakesThemOnceOrSaysWhyNot()
    {
        Assert.Equal(Loss.WeightedSigmoidCrossEntropy(3, 0.5f), Loss.SigmoidCrossEntropy.WithClassWeights([0.5f, 3]));
        var smoothed = Loss.SmoothedCrossEntropy(0.1f).WithClassWeights([1, 2, 3]);
        Assert.Throws<ArgumentException>(() => smoothed.WithClassWeights([1, 2, 3]));
        Assert.Throws<ArgumentException>(() => Loss.WeightedSigmoidCrossEntropy(3).WithClassWeights([1, 2]));
        Assert.Contains(
            "no classes", Assert.Throws<ArgumentException>(() => Loss.Huber().WithClassWeights([1, 2])).Message, StringComparison.Ordinal);
    }
}

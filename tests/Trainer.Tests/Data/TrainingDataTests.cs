namespace MlNetBatchNorm.Trainer.Tests.Data;

public class TrainingDataTests
{
    private static readonly SampleShape Two = new(2);

    public static TheoryData<float[], float[], float[]?, int, string> Bad => new()
    {
        { [], [], null, 1, "no rows" },
        { [1, 2, 3, 4], [1, 2, 3], null, 2, "3 targets do not make whole rows of 2" },
        { [1, 2, 3], [1, 2], null, 1, "2 rows of shape [2] need 4 features, but 3 were given" },
        { [1, 2, 3, 4], [1, 2], [1], 1, "2 rows need 2 weights, but 1 were given" },
        { [1, 2, 3, float.NaN], [1, 2], null, 1, "Row 1 has NaN as feature 1" },
        { [1, 2, 3, 4], [1, float.PositiveInfinity], null, 1, "Row 1 has" },
        { [1, 2, 3, 4], [1, 2], [1, -1], 1, "Row 1 has the weight -1" },
        { [1, 2, 3, 4], [1, 2], [0, 0], 1, "Every row has the weight 0" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void TrainingData_BadInput_SaysWhatIsWrong(float[] features, float[] targets, float[]? weights, int outputs, string message)
    {
        var exception = Assert.Throws<ArgumentException>(() => new TrainingData(Two, outputs, features, targets, weights));
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Select_SomeRows_CopiesFeaturesTargetsAndWeights()
    {
        var rows = new TrainingData(Two, 1, [1, 2, 3, 4, 5, 6], [7, 8, 9], [1, 2, 3]);

        var selected = rows.Select([2, 0]);

        Assert.Equal([5, 6, 1, 2], selected.FeatureArray);
        Assert.Equal([9, 7], selected.TargetArray);
        Assert.Equal([3, 1], selected.WeightArray!);
    }
}

using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>A model that says nothing is told apart from one that says something.</summary>
public sealed class BaselineTests
{
    private const int Rows = 400;

    [Fact]
    public void Create_LabelsOfTwoClasses_HasTheirShareAndEntropy()
    {
        // A quarter has the class: the entropy is ln 4 − ¾ ln 3 nats.
        var baseline = new Baseline(Tested(row => row % 4 == 0 ? 1 : 0, _ => 0.25f), hasClasses: true);

        Assert.Equal([0.75, 0.25], baseline.Shares);
        Assert.Equal(0, baseline.MostFrequent);
        Assert.Equal(Math.Log(4) - (0.75 * Math.Log(3)), baseline.Entropy, 12);
    }

    [Fact]
    public void IsBeatenBy_TheShareItself_IsFalse() =>
        Assert.False(Beats(Tested(row => row % 4 == 0 ? 1 : 0, _ => 0.25f)));

    [Fact]
    public void IsBeatenBy_ProbabilitiesDrawnAtRandom_IsFalse()
    {
        var random = new Random(1);
        Assert.False(Beats(Tested(row => row % 4 == 0 ? 1 : 0, _ => 0.2f + (0.1f * random.NextSingle()))));
    }

    [Fact]
    public void IsBeatenBy_ProbabilitiesThatFollowTheClass_IsTrue() =>
        Assert.True(Beats(Tested(row => row % 4 == 0 ? 1 : 0, row => row % 4 == 0 ? 0.3f : 0.23f)));

    [Fact]
    public void IsBeatenBy_ALittleLuckInFewRows_IsFalse()
    {
        var lucky = new TestedRows(Data(6, row => row % 2), [0.45f, 0.55f, 0.45f, 0.55f, 0.55f, 0.45f]);
        Assert.False(Beats(lucky));
    }

    [Fact]
    public void IsBeatenBy_ClassesThatAreAllAlike_IsFalse() => Assert.False(Beats(Tested(_ => 1, _ => 0.9f)));

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.3f, true)]
    public void IsBeatenBy_NumbersThatFollowTheLabelByAPart_IsTrueWhereThereIsAny(float part, bool expected)
    {
        var random = new Random(2);
        var labels = Enumerable.Range(0, Rows).Select(_ => random.NextSingle()).ToArray();
        var tested = Tested(row => labels[row], row => 0.5f + (part * (labels[row] - 0.5f)) + (0.01f * (random.NextSingle() - 0.5f)));
        Assert.Equal(expected, Beats(tested, hasClasses: false));
    }

    [Fact]
    public void IsBeatenBy_ThreeClasses_LooksAtTheClassThatCameAbout()
    {
        var targets = new float[3 * Rows];
        for (var row = 0; row < Rows; row++) targets[(3 * row) + (row % 3)] = 1;
        var rows = new TrainingData(new SampleShape(1), 3, new float[Rows], targets);
        var right = new TestedRows(rows, Array.ConvertAll(targets, target => 0.3f + (0.1f * target)));
        var shifted = new TestedRows(rows, [.. right.Predictions[1..], right.Predictions[0]]);

        Assert.True(Beats(right));
        Assert.False(Beats(shifted));
    }

    private static bool Beats(TestedRows tested, bool hasClasses = true) => new Baseline(tested, hasClasses).IsBeatenBy(tested);

    private static TestedRows Tested(Func<int, float> label, Func<int, float> prediction) =>
        new(Data(Rows, label), [.. Enumerable.Range(0, Rows).Select(prediction)]);

    private static TrainingData Data(int rows, Func<int, float> label) =>
        new(new SampleShape(1), 1, new float[rows], [.. Enumerable.Range(0, rows).Select(label)]);
}

using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class LabelMapTests
{
    [Theory]
    [InlineData("yes", "no", "yes")]
    [InlineData("TRUE", "FALSE", "TRUE")]
    [InlineData("-1", "1", "1")]
    [InlineData("0.0", "1.0", "1.0")]
    [InlineData("N", "Y", "Y")]
    [InlineData("negative", "Positive", "Positive")]
    public void Infer_AffirmativeName_IsPositive(string first, string second, string positive) =>
        Assert.Equal(positive, Infer($"y,x\n{first},1\n{first},2\n{second},3\n{second},4\n").PositiveClass);

    [Fact]
    public void Infer_NoAffirmativeName_TheRarerClassIsPositive() =>
        Assert.Equal("bad", Infer("y,x\ngood,1\nbad,2\ngood,3\n").PositiveClass);

    [Fact]
    public void Infer_ChosenPositive_Wins() => Assert.Equal(["yes", "no"], Infer("y,x\nno,1\nyes,2\nno,3\n", positive: "no").Classes);

    [Fact]
    public void Infer_NumericClasses_AreSortedAsNumbers() =>
        Assert.Equal(["-1", "2", "10"], Infer("y,x\n10,1\n2,2\n-1,3\n", LearningTask.Multiclass).Classes);

    [Theory]
    [InlineData("0|0.0|1", LearningTask.Multiclass)]
    [InlineData("1|1.0|1", LearningTask.Binary)]
    public void Infer_OneNumberInTwoWays_IsRefused(string labels, LearningTask task) => Assert.Contains(
        "which are one number; write them alike",
        Assert.Throws<TableException>(() => Infer("y,x\n" + labels.Replace("|", ",1\n", StringComparison.Ordinal) + ",2\n", task)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Encode_Binary_IsOneForThePositiveClass()
    {
        var table = CsvTable.Parse("y,x\nno,1\nyes,2\n");

        Assert.Equal([0f, 1f], Infer("y,x\nno,1\nyes,2\nno,3\n").Encode(table));
    }

    [Fact]
    public void Encode_SameNumberInAnotherSpelling_IsTheSameClass() =>
        Assert.Equal([1f, 0f], Infer("y,x\n0,1\n1,2\n").Encode(CsvTable.Parse("y,x\n1.0,1\n0.0,2\n")));

    [Fact]
    public void Encode_Regression_IsTheNumber() =>
        Assert.Equal([2.5f, -1f], Infer("y,x\n2.5,1\n-1,2\n", LearningTask.Regression).Encode(CsvTable.Parse("y,x\n2.5,1\n-1,2\n")));

    [Fact]
    public void Encode_UnknownClass_NamesLineAndClasses() =>
        Fails(
            () => Infer("y,x\nno,1\nyes,2\n").Encode(CsvTable.Parse("y,x\nno,1\nmaybe,2\n", "test.csv")),
            "test.csv, line 3, column 'y': 'maybe' is none of the classes that the model knows (no, yes).");

    [Fact]
    public void Encode_NoLabelColumn_ListsTheColumns() =>
        Fails(() => Infer("y,x\nno,1\nyes,2\n").Encode(CsvTable.Parse("x,z\n1,2\n")), "there is no column 'y'; the columns are x, z.");

    [Theory]
    [InlineData("z,x\n1,1\n", LearningTask.Binary, "t.csv: there is no label column 'y'; the columns are z, x.")]
    [InlineData("y,x\n1,1\n,2\n", LearningTask.Binary, "t.csv, line 3, column 'y': the label is missing")]
    [InlineData("y,x\na,1\na,2\n", LearningTask.Binary, "'y' has 1 class: a (2); a binary label has exactly two")]
    [InlineData("y,x\na,1\nb,2\nc,3\n", LearningTask.Binary, "'y' has 3 classes: a (1), b (1), c (1); a binary label has exactly two")]
    [InlineData("y,x\na,1\na,2\n", LearningTask.Multiclass, "'y' has 1 class: a (2); there must be two or more")]
    [InlineData(
        "y,x\n1,1\nabc,2\n", LearningTask.Regression, "t.csv, line 3, column 'y': 'abc' is not a number; the task regression needs")]
    [InlineData("y,x\n1,1\ninf,2\n", LearningTask.Regression, "t.csv, line 3, column 'y': 'inf' is not a finite number")]
    [InlineData("y,x\n5,1\n5,2\n", LearningTask.Regression, "'y' is 5 in every row; there is nothing to learn")]
    public void Infer_BadLabel_SaysWhatAndWhere(string csv, LearningTask task, string expected) => Fails(() => Infer(csv, task), expected);

    [Fact]
    public void Infer_PositiveThatDoesNotOccur_ListsTheClasses() =>
        Fails(
            () => Infer("y,x\nno,1\nyes,2\n", positive: "oui"),
            "the positive class 'oui' does not occur in the label column 'y', which has 2 classes: no (1), yes (1).");

    [Fact]
    public void Infer_NumbersAsClasses_SuggestsRegression() =>
        Fails(() => TableSchema.Infer(SampleData.Ames, "Longitude", LearningTask.Multiclass), "choose the task regression");

    [Fact]
    public void Infer_RegressionLabelOfDifferentUnits_SaysSo() => Fails(
        () => Infer("y,x\n5 kg,1\n300 g,2\n7 kg,3\n", LearningTask.Regression),
        "the label column 'y' looks like numbers, but is not read as such: it has different units (kg, g), as '5 kg', '300 g'; write them "
        + "alike, or choose another label.");

    [Theory]
    [InlineData(LearningTask.Binary, 3)]
    [InlineData(LearningTask.Multiclass, 1)]
    [InlineData(LearningTask.Regression, 2)]
    public void Constructor_ClassesDoNotFitTheTask_Throws(LearningTask task, int classes) =>
        Assert.Throws<ArgumentException>(() => new LabelMap("y", task, [.. Enumerable.Range(0, classes).Select(i => $"{i}")]));

    private static LabelMap Infer(string csv, LearningTask task = LearningTask.Binary, string? positive = null) =>
        TableSchema.Infer(CsvTable.Parse(csv, "t.csv"), "y", task, new() { Positive = positive }).Label;

    private static void Fails(Action action, string expected) =>
        Assert.Contains(expected, Assert.Throws<TableException>(action).Message, StringComparison.Ordinal);
}

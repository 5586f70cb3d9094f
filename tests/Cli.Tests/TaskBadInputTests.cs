namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Tables and options that do not fit the task.</summary>
public sealed class TaskBadInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Multiclass_OneClass_SaysWhich() => Expect("multiclass", "a,label\n1,x\n2,x\n3,x\n", "1 class: x");

    [Fact]
    public void Multiclass_EveryRowAClassOfItsOwn_SaysWhatToDo() => Expect(
        "multiclass",
        "a,label\n" + string.Concat(Enumerable.Range(0, 200).Select(row => $"{row % 7},{row}.5\n")),
        "choose the task regression");

    [Fact]
    public void Regression_LabelIsText_NamesTheLine() => Expect("regression", "a,label\n1,1.5\n2,high\n3,2.5\n", "line 3");

    [Fact]
    public void Regression_MissingLabel_NamesTheLine() => Expect("regression", "a,label\n1,1.5\n2,\n3,2.5\n", "line 3");

    [Fact]
    public void Regression_ConstantLabel_SaysSo() => Expect("regression", "a,label\n1,4\n2,4\n3,4\n", "nothing to learn");

    [Fact]
    public void Multiclass_TestTableHasAnotherClass_SaysWhichBeforeTraining()
    {
        _folder.Write("data.csv", "a,label\n" + string.Concat(Enumerable.Range(0, 60).Select(row => $"{row % 7},{"xyz"[row % 3]}\n")));
        _folder.Write("test.csv", "a,label\n1,x\n2,w\n");
        var result = Tool.Run(
            _folder.Path, "train", "data.csv", "--label", "label", "--task", "multiclass", "--test", "test.csv", "--out", "out");
        var line = result.RequireOneLineOfError();
        Assert.Contains(
            "line 3, column 'label': the class 'w' is among the rows to test on but not among those to learn from (x, y, z); add",
            line,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Multiclass_PositiveClassGiven_IsWrongUsage()
    {
        _folder.Write("data.csv", "a,label\n1,x\n2,y\n");
        var result = Tool.Run(
            _folder.Path, "train", "data.csv", "--label", "label", "--task", "multiclass", "--positive", "x", "--out", "out");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--positive", result.Error, StringComparison.Ordinal);
    }

    private void Expect(string task, string table, string message)
    {
        _folder.Write("data.csv", table);
        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "label", "--task", task, "--out", "out");
        Assert.Contains(message, result.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(["data.csv"], _folder.Files());
    }
}

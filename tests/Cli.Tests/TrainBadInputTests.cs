namespace MlNetBatchNorm.Cli.Tests;

public sealed class TrainBadInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_FileNotThere_SaysSo() => Expect("nothere.csv", "nothere.csv");

    [Fact]
    public void Train_EmptyFile_SaysSo() => Expect(_folder.Write("data.csv", string.Empty), "empty");

    [Fact]
    public void Train_HeaderOnly_SaysSo() => Expect(_folder.Write("data.csv", ChurnTables.First(0)), "data.csv");

    [Fact]
    public void Train_NoSuchLabel_ListsTheColumns() => Expect(
        _folder.Write("data.csv", ChurnTables.First(50)),
        "there is no label column 'churned'; the columns are churn, female",
        "churned");

    [Fact]
    public void Train_OneClass_SaysWhich() => Expect(
        _folder.Write("data.csv", ChurnTables.First(50).Replace("\"Yes\",", "\"No\",", StringComparison.Ordinal)), "No");

    [Fact]
    public void Train_ThreeClasses_ListsThem() => Expect(
        _folder.Write("data.csv", "a,label\n1,x\n2,y\n3,z\n4,x\n5,y\n6,z\n"), "has 3 classes: x", "label");

    [Fact]
    public void Train_InfinityInAFeature_NamesRowAndColumn() => Expect(
        _folder.Write("data.csv", Numbers((row, cell) => row == 12 ? "Infinity" : cell)), "line 14", "label");

    [Fact]
    public void Train_TextInANumericColumn_NamesRowAndColumn() => Expect(
        _folder.Write("data.csv", Numbers((row, cell) => row == 57 ? "oops" : cell)), "oops", "label");

    [Fact]
    public void Train_MissingLabel_NamesTheRow() => Expect(
        _folder.Write("data.csv", "a,label\n1,x\n2,y\n3,\n4,x\n"), "line 4", "label");

    [Fact]
    public void Train_OutIsAFile_SaysSo()
    {
        _folder.Write("data.csv", ChurnTables.First(50));
        _folder.Write("out", "in the way");
        var result = Tool.Run(_folder.Path, "train", "data.csv", "--label", "churn", "--out", "out");
        Assert.Contains("'out' is a file", result.RequireOneLineOfError(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train", "data.csv", "--out", "out")]
    [InlineData("train", "data.csv", "--label", "churn", "--out", "out", "--hidden", "64,none")]
    [InlineData("train", "data.csv", "--label", "churn", "--out", "out", "--epochs", "0")]
    [InlineData("train", "data.csv", "--label", "churn", "--out", "out", "--device", "tpu")]
    [InlineData("train", "data.csv", "--label", "churn", "--out", "out", "--task", "guessing")]
    [InlineData("train", "data.csv", "--label", "churn", "--out", "out", "--test", "data.csv", "--test-fraction", "0.3")]
    [InlineData("dance")]
    public void AnyCommand_WrongUsage_ExitsWith2(params string[] arguments)
    {
        _folder.Write("data.csv", ChurnTables.First(50));
        var result = Tool.Run(_folder.Path, arguments);
        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}: {result.Error}");
        Assert.All(result.Error.TrimEnd().Split('\n'), line => Assert.StartsWith("mlnetbn: ", line, StringComparison.Ordinal));
        Assert.Equal(["data.csv"], _folder.Files());
    }

    [Fact]
    public void Version_Asked_IsPrinted()
    {
        var result = Tool.Run(_folder.Path, "--version");
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+\s*$", result.Output);
    }

    private static string Numbers(Func<int, string, string> change) =>
        "a,b,label\n" + string.Concat(
            Enumerable.Range(0, 100).Select(row => $"{change(row, $"{row}.5")},{row % 7},{(row % 3 == 0 ? "x" : "y")}\n"));

    private void Expect(string data, string message, string label = "churn")
    {
        var before = _folder.Files();
        var result = Tool.Run(_folder.Path, "train", data, "--label", label, "--out", "out");
        Assert.Contains(message, result.RequireOneLineOfError(), StringComparison.Ordinal);
        Assert.Equal(before, _folder.Files());
    }
}

using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Which rows the tool learns from and tests on, and how it reads their numbers: from the command line to new rows.</summary>
public sealed class TrainRowsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    // Sales of five shops, day after day; the shop decides them.
    public TrainRowsTests() => _folder.Write("shops.csv", "day,shop,sold\n" + string.Concat(Enumerable.Range(0, 300).Select(
        row => $"{row / 5},shop{row % 5},{(100 * (row % 5)) + (row * 7 % 13)}\n")));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_TableInRounds_TestsOnRowsDrawnAtRandom()
    {
        var result = Train("shops.csv", "sold", "--task", "regression");

        Assert.Contains("test rows: drawn at random (--seed 0)\n", result.Error.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.DoesNotContain("warning", result.Error, StringComparison.Ordinal);
        Assert.InRange(Metrics.GetProperty("test").GetProperty("rSquared").GetDouble(), 0.9, 1);
        Assert.Equal("drawn at random (--seed 0)", Metrics.GetProperty("testRowsChosen").GetString());
    }

    [Fact]
    public void Train_FileOrderOfATableInRounds_WarnsOfTheShopThatIsOnlyTested()
    {
        var result = Train("shops.csv", "sold", "--task", "regression", "--test-order", "file", "--epochs", "1");

        Assert.Contains(
            "warning: categories of rows to test on that no row to learn from has, so that they count as none: shop 'shop0' (60 rows)",
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Groups_AreNoFeatureAndValidateTogether()
    {
        var result = Train(
            "shops.csv", "sold", "--task", "regression", "--group", "shop", "--validation-fraction", "0.25", "--epochs", "1");

        Assert.Contains("180 rows to learn from, 60 to validate by, 60 to test on", result.Error, StringComparison.Ordinal);
        Assert.Contains("test rows: 1 of 5 groups by shop, drawn at random (--seed 0)", result.Error, StringComparison.Ordinal);
        Assert.Contains("1 features from 1 columns", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Time_TestsOnTheLatestAndKeepsOfDatesWhatComesAgain()
    {
        _folder.Write("dates.csv", "date,x,y\n" + string.Concat(Enumerable.Range(0, 100).Select(
            row => $"{1 + (row / 4)}.03.2025,{row % 9},{row % 9 * 2.5}\n")));

        var result = Train("dates.csv", "y", "--task", "regression", "--time", "date", "--epochs", "1");

        Assert.Contains("test rows: the latest by date, from 21.03.2025 on", result.Error, StringComparison.Ordinal);

        // Of 20 days the day of the week, and not how many there were; quarters are no dates, and no later row has them.
        Assert.Contains("8 features from 2 columns", result.Error, StringComparison.Ordinal);
        _folder.Write("quarters.csv", "date,x,y\n" + string.Concat(Enumerable.Range(0, 100).Select(
            row => $"{2001 + (row / 4)}Q{1 + (row % 4)},{row % 9},{row % 9 * 2.5}\n")));
        var quarters = Train("quarters.csv", "y", "--task", "regression", "--time", "date", "--epochs", "1");
        Assert.Contains("note: column date is left out: times, which no later row has", quarters.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--group shop --time day", "--group and --time exclude each other")]
    [InlineData("--group shop --test-order file", "--group and --test-order exclude each other")]
    [InlineData("--test shops.csv --test-order random", "--test and --test-order exclude each other")]
    [InlineData("--test-order reverse", "reverse")]
    public void Train_RulesThatContradict_AreWrongUsage(string options, string expected)
    {
        var result = Tool.Run(_folder.Path, ["train", "shops.csv", "--label", "sold", "--out", "out", .. options.Split(' ')]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_RareClassAmongTheTestRowsOnly_IsNamedAsWhatItIs()
    {
        _folder.Write("rare.csv", "x,kind\n" + string.Concat(Enumerable.Range(0, 60).Select(
            row => $"{row},{(row == 20 ? "rare" : row % 2 == 0 ? "even" : "odd")}\n")));

        var result = Tool.Run(
            _folder.Path, "train", "rare.csv", "--label", "kind", "--task", "multiclass", "--test-order", "file", "--out", "out");

        Assert.Contains(
            "line 22, column 'kind': the class 'rare' is among the rows to test on but not among those to learn from (even, odd)",
            result.RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Contains(
            "note: no test row has the class 'rare'",
            Train("rare.csv", "kind", "--task", "multiclass", "--epochs", "1").Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Train_GermanNumbers_AreSaidKeptAndReadAlikeInNewRows()
    {
        var rows = Enumerable.Range(0, 180).Select(row => (Price: 1 + (row / 20), Row: row)).Select(
            at => $"{at.Price}.{at.Row % 10}00,5 €;{at.Row % 7},5 kg;{(at.Price >= 5 ? "yes" : "no")}\n");
        _folder.Write("german.csv", $"price;weight;y\n{string.Concat(rows)}");
        var trained = Train("german.csv", "y", "--epochs", "40", "--whole-pipeline");

        Assert.Contains(
            "note: column price is read with a decimal comma and '.' between thousands, in €: '1.000,5 €' is 1000.5",
            trained.Error,
            StringComparison.Ordinal);
        Assert.Contains("2 features from 2 columns", trained.Error, StringComparison.Ordinal);

        // The same rows as programs write them are other texts: refused, not misread.
        _folder.Write("new.csv", "price;weight\n9.500,5 €;3,5 kg\n\n;\n1.200,5;3,5 kg");
        _folder.Write("plain.csv", "price,weight\n9500.5,3.5\n");
        foreach (var model in new[] { "out/model.onnx", "out/model.zip" })
        {
            var scored = Tool.Run(_folder.Path, "score", model, "new.csv", "--out", "new.out.csv");
            Assert.Equal(0, scored.ExitCode);
            Assert.Contains(
                "new.csv: line 3 is empty; in a table of 2 columns an empty line is no row.", scored.Error, StringComparison.Ordinal);
            Assert.Equal(
                ["yes", null, "no"],
                File.ReadLines(_folder.File("new.out.csv")).Skip(1).Select((line, row) => row == 1 ? null : line.Split(',')[0]));
            Assert.Contains(
                "'9500.5' is not a number as those of this column are written (with a decimal comma and '.' between thousands, in €)",
                Tool.Run(_folder.Path, "score", model, "plain.csv", "--out", "none.csv").RequireOneLineOfError(),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Train_MixedUnits_WarnsWithAnExampleAndTheCure()
    {
        _folder.Write("units.csv", "weight,x,y\n" + string.Concat(Enumerable.Range(0, 60).Select(
            row => $"{(row % 2 == 0 ? $"{row} kg" : $"{row}00 g")},{row},{(row % 3 == 0 ? "a" : "b")}\n")));

        Assert.Contains(
            "warning: column weight looks like numbers, but is not read as such: it has different units (kg, g), as '0 kg', '100 g'; write "
            + "them alike, or take the column as categories (--categorical weight) or leave it out (--ignore weight)",
            Train("units.csv", "y", "--epochs", "1").Error,
            StringComparison.Ordinal);
    }

    private JsonElement Metrics => JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json"))).RootElement;

    private ToolResult Train(string table, string label, params string[] options)
    {
        var result = Tool.Run(_folder.Path, ["train", table, "--label", label, "--out", "out", .. options]);
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }
}

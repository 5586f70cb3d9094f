using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class TableSplitTests
{
    // Five shops in turn: every fifth row is the same one.
    private static readonly CsvTable Shops = CsvTable.Parse(
        "shop,day,y\n" + string.Concat(Enumerable.Range(0, 500).Select(row => $"s{row % 5},{row / 5},{(row % 5 == 0 ? "yes" : "no")}\n")));

    [Fact]
    public void Create_TableInRounds_TestsOnAllOfIt()
    {
        var split = TableSplit.Create(Shops, null, new SplitOptions());

        Assert.Equal((400, 100), (split.Training.RowCount, split.Test.RowCount));
        Assert.Equal(5, Texts(split.Test.Whole!, "shop").Distinct().Count());
        Assert.Equal("drawn at random (--seed 0)", split.Rule);
        Assert.Null(split.Validation);
    }

    [Fact]
    public void Create_FileOrder_IsEveryFifthRow()
    {
        var split = TableSplit.Create(Shops, "y", new SplitOptions { FileOrder = true });

        Assert.Equal(["s0"], Texts(split.Test.Whole!, "shop").Distinct());
        Assert.Equal(Enumerable.Range(0, 100).Select(row => 2 + (5 * row)), Enumerable.Range(0, 100).Select(split.Test.Whole!.LineOf));
    }

    [Fact]
    public void Create_Classes_HaveTheirShareInBothParts()
    {
        var split = TableSplit.Create(Shops, "y", new SplitOptions { Seed = 3 });

        Assert.Equal(20, Texts(split.Test.Whole!, "y").Count(text => text == "yes"));
        Assert.Equal(80, Texts(split.Training, "y").Count(text => text == "yes"));
    }

    [Fact]
    public void Create_Seed_DecidesWhichRows()
    {
        Assert.Equal(Lines(0), Lines(0));
        Assert.NotEqual(Lines(0), Lines(1));
        Assert.Equal(Lines(0).Order(), Lines(0));

        int[] Lines(int seed)
        {
            var test = TableSplit.Create(Shops, "y", new SplitOptions { Seed = seed }).Test.Whole!;
            return [.. Enumerable.Range(0, test.RowCount).Select(test.LineOf)];
        }
    }

    [Fact]
    public void Create_Groups_StayTogetherInAllParts()
    {
        var random = new Random(5);
        var csv = "who,y\n" + string.Concat(
            Enumerable.Range(0, 40).SelectMany(who => Enumerable.Repeat(who, 1 + random.Next(20))).Select(who => $"p{who},{who % 2}\n"));
        var table = CsvTable.Parse(csv);

        var split = TableSplit.Create(table, "y", new SplitOptions { Group = "who", ValidationShare = 0.1 });

        var parts = new[] { split.Training, split.Validation!, split.Test.Whole! }.Select(part => Texts(part, "who").ToHashSet()).ToList();
        Assert.Equal(40, parts.Sum(part => part.Count));
        Assert.Equal(40, parts.SelectMany(part => part).Distinct().Count());
        Assert.InRange(split.Test.RowCount / (double)table.RowCount, 0.18, 0.22);
        Assert.InRange(split.Validation!.RowCount / (double)table.RowCount, 0.06, 0.1);
        Assert.InRange(Texts(split.Test.Whole!, "y").Count(text => text == "1") / (double)split.Test.RowCount, 0.4, 0.6);
        Assert.Matches(@"^\d+ of 40 groups by who, drawn at random \(--seed 0\)$", split.Rule);
    }

    [Fact]
    public void Create_OneGroup_SaysWhatIsNeeded() => Fails(
        "a,y\nx,1\nx,2\n", new() { Group = "a" }, "have one value in column 'a' ('x'); whole groups need two");

    [Theory]
    [InlineData("2021-03-01|2021-03-02|2020-12-31|2021-01-15|2021-02-01", "2021-03-02")]
    [InlineData("31.01.2021|01.02.2021|28.02.2020|05.12.2020|01.01.2021", "01.02.2021")]
    [InlineData("01/31/2021|02/01/2021|02/28/2020|12/05/2020|01/01/2021", "02/01/2021")]
    [InlineData("31/01/2021|01/02/2021|28/02/2020|05/12/2020|01/01/2021", "01/02/2021")]
    [InlineData("2021-03-01 09:00|2021-03-01 17:30|2021-03-01T08:00|2021-02-28 23:59|2021-03-01 10:00", "2021-03-01 17:30")]
    [InlineData("2021-03-01T09:00Z|2021-03-01T10:30+02:00|2021-03-01T08:00Z|2021-03-01T08:45Z|2021-03-01T07:00Z", "2021-03-01T09:00Z")]
    [InlineData("5 Mar 2021|17 Jan 2022|1 Feb 2020|9 Dec 2021|2 May 2019", "17 Jan 2022")]
    [InlineData("2021Q2|2022Q1|2020Q4|2021Q3|2019Q4", "2022Q1")]
    [InlineData("2021-W09|2021-W10|2020-W52|2021-W01|2021-W02", "2021-W10")]
    [InlineData("9|10|1|2|3", "10")]
    [InlineData("1.000|999|720|810|650", "1.000")]
    [InlineData("1700000000000|1700000000001|1600000000000|1500000000000|1400000000000", "1700000000001")]
    public void Create_Time_TestsOnTheLatest(string times, string latest)
    {
        var table = CsvTable.Parse("t;y\n" + times.Replace("|", ";1\n", StringComparison.Ordinal) + ";1\n");

        var split = TableSplit.Create(table, null, new SplitOptions { Time = "t" });

        Assert.Equal([latest], Texts(split.Test.Whole!, "t"));
        Assert.Equal($"the latest by t, from {latest} on", split.Rule);
    }

    [Fact]
    public void Create_TimeOfSeveralRows_IsNotDivided()
    {
        var split = TableSplit.Create(Shops, null, new SplitOptions { Time = "day", TestShare = 0.203, ValidationShare = 0.1 });

        Assert.Equal((360, 40, 100), (split.Training.RowCount, split.Validation!.RowCount, split.Test.RowCount));
        Assert.Equal(79, Texts(split.Validation, "day").Max(int.Parse));
        Assert.Equal("the latest by day, from 80 on", split.Rule);
    }

    [Theory]
    [InlineData("t,y\n01/02/2021,1\n03/04/2021,2\n", "do not say which is the day and which the month")]
    [InlineData("t,y\n31/02/2021,1\n03/31/2021,2\n", "do not say which is the day and which the month")]
    [InlineData("t,y\n2021-01-01,1\nsoon,2\n", "line 3, column 't': 'soon' is not a time like the others; write numbers, or dates as 2021")]
    [InlineData("t,y\nJan-20,1\nFeb-20,2\n", "'Jan-20' is not a time like the others")]
    [InlineData("t,y\n10/22,1\n11/22,2\n", "'10/22' is not a time like the others")]
    [InlineData("t,y\n15 Oct,1\n16 Oct,2\n", "'15 Oct' is not a time like the others")]
    [InlineData("t,y\n23-01-31,1\n23-02-01,2\n", "'23-01-31' is not a time like the others")]
    [InlineData("t,y\n10.2022,1\n9.2023,2\n", "look like a month and a year; write 2021-03")]
    [InlineData("t,y\n2023.10,1\n2023.9,2\n", "look like a month and a year; write 2021-03")]
    [InlineData("t,y\n12:30,1\n13:45,2\n", "'12:30' is not a time like the others")]
    [InlineData("t,y\n2021-01-01,1\n,2\n", "line 3, column 't': every row needs a time")]
    [InlineData("t,y\n2021-01-01,1\n2021-01-01,2\n", "have one time in column 't' ('2021-01-01'); nothing is later")]
    public void Create_TimesThatAreNone_SaysWhatAndWhere(string csv, string expected) => Fails(csv, new() { Time = "t" }, expected);

    [Fact]
    public void Create_TooFewRows_SaysSo() => Fails(
        "a,y\n1,x\n2,z\n", new(), "of 2 rows a share of 0.2 is 0 to test on and 2 to learn from; add rows", "y");

    [Fact]
    public void DivideIntoFolds_Groups_AreNeverInTwoParts()
    {
        var folds = TableSplit.DivideIntoFolds(Shops, new SplitOptions { Group = "shop" }, 4)!;

        Assert.Equal([100, 100, 100, 200], folds.Select(fold => fold.Held.Length).Order());
        Assert.Equal(Enumerable.Range(0, 500), folds.SelectMany(fold => fold.Held).Order());
        Assert.All(folds, fold => Assert.Empty(fold.Learned.Select(Shop).Intersect(fold.Held.Select(Shop))));
        Assert.All(folds, fold => Assert.Equal(500, fold.Learned.Length + fold.Held.Length));

        static string Shop(int row) => Shops.Column("shop")[row];
    }

    [Fact]
    public void DivideIntoFolds_Times_MeasureByWhatIsLater()
    {
        var folds = TableSplit.DivideIntoFolds(Shops, new SplitOptions { Time = "day" }, 3)!;

        // Days of five rows: 25 in each of four parts.
        Assert.Equal([125, 250, 375], folds.Select(fold => fold.Learned.Length));
        Assert.All(folds, fold => Assert.Equal(125, fold.Held.Length));
        Assert.All(folds, fold => Assert.True(fold.Learned.Max(row => row / 5) < fold.Held.Min(row => row / 5)));
    }

    [Fact]
    public void DivideIntoFolds_FewGroups_SaysHowManyThereHaveToBe()
    {
        var error = Assert.Throws<TableException>(
            () => TableSplit.DivideIntoFolds(Shops, new SplitOptions { Group = "shop" }, 6));
        Assert.Contains("do not make 6 parts by column 'shop', as 6 folds need; give fewer folds", error.Message, StringComparison.Ordinal);
        Assert.Null(TableSplit.DivideIntoFolds(Shops, new SplitOptions(), 6));
    }

    private static IEnumerable<string> Texts(CsvTable table, string column) =>
        Enumerable.Range(0, table.RowCount).Select(row => table.Column(column)[row]);

    private static void Fails(string csv, SplitOptions options, string expected, string? classes = null) => Assert.Contains(
        expected,
        Assert.Throws<TableException>(() => TableSplit.Create(CsvTable.Parse(csv, "t.csv"), classes, options)).Message,
        StringComparison.Ordinal);
}

using System.Globalization;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Columns of dates become what of a date matters to a prediction.</summary>
public sealed class DateColumnTests
{
    private static readonly string[] AllParts =
    [
        "day (days since the first)", "day (hour of the day)", "day (day of the week)", "day (day of the month)", "day (day of the year)",
    ];

    [Fact]
    public void Infer_ThreeYearsOfTimes_HasEveryPart()
    {
        var schema = Infer(Rows(1500, i => Start.AddHours(17 * i).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)));

        Assert.Equal(AllParts, schema.Features.Columns.Select(column => column.Name).Where(name => name != "x"));
        Assert.Equal(["day", "x"], schema.Features.Sources);
        Assert.Equal(ColumnKind.Date, schema.Reports.Single(report => report.Name == "day").Kind);
        Assert.Equal(12, schema.Features.FeatureCount);
    }

    [Fact]
    public void Encode_KnownDay_IsWhatTheCalendarSays()
    {
        // 29 February 2024 was a Thursday, the 60th day of its year; 2023-01-01 is 424 days before.
        var schema = Infer(Rows(1500, i => Start.AddHours(17 * i).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)));
        var features = schema.Features.EncodeAll(CsvTable.Parse("day,x\n2024-02-29 18:45,1\n"));
        var named = schema.Features.FeatureNames.Zip(features).ToDictionary(pair => pair.First, pair => pair.Second);

        Assert.Equal(424.78125f, named["day (days since the first)"]);
        Assert.Equal(18.75f, named["day (hour of the day)"]);
        Assert.Equal(29, named["day (day of the month)"]);
        Assert.Equal(60, named["day (day of the year)"]);
        Assert.Equal(
            ["day (day of the week)=Thursday"],
            named.Where(pair => pair.Key.Contains('=', StringComparison.Ordinal) && pair.Value == 1).Select(pair => pair.Key));
    }

    [Theory]
    [InlineData("yyyy-MM-dd")]
    [InlineData("dd.MM.yyyy")]
    [InlineData("dd/MM/yyyy")]
    [InlineData("MM/dd/yyyy")]
    [InlineData("M/d/yy")]
    [InlineData("d MMM yyyy")]
    [InlineData("MMMM d, yyyy")]
    [InlineData("yyyy-MM-ddTHH:mm:ssZ")]
    [InlineData("ddd, dd MMM yyyy HH:mm:ss 'GMT'")]
    public void Infer_WrittenInAnyWay_IsTheSameDay(string format)
    {
        var schema = Infer(Rows(900, i => $"\"{Start.AddDays(i).ToString(format, CultureInfo.InvariantCulture)}\""));
        var later = Start.AddDays(1000).ToString(format, CultureInfo.InvariantCulture);

        var features = schema.Features.EncodeAll(CsvTable.Parse($"day,x\n\"{later}\",1\n"));

        Assert.Equal(1000, features[0]);
        Assert.Equal("day (days since the first)", schema.Features.FeatureNames[0]);
    }

    [Fact]
    public void Infer_OneMonthOfDays_HasNoYearAndNoMonth() => Assert.Equal(
        ["day (days since the first)", "day (day of the week)", "x"],
        Infer(Rows(31, i => Start.AddDays(i).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)))
            .Features.Columns.Select(column => column.Name));

    [Fact]
    public void Infer_ColumnThatRowsWereHeldBackBy_HasNoTimePassed() => Assert.DoesNotContain(
        "day (days since the first)",
        Infer(Rows(100, i => Start.AddDays(i).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)), new() { Time = "day" })
            .Features.FeatureNames);

    [Fact]
    public void Infer_PartNamedLikeAColumn_HasAnotherName()
    {
        var rows = Enumerable.Range(0, 20).Select(i => $"{i % 2},{Start.AddDays(i):yyyy-MM-dd},{i}\n");

        var schema = Infer($"y,day,day (days since the first)\n{string.Concat(rows)}");

        Assert.Equal(
            ["(day (days since the first))", "day (day of the week)", "day (days since the first)"],
            schema.Features.Columns.Select(column => column.Name));
    }

    [Fact]
    public void Infer_DayAndMonthOpen_IsAWarningWithTheCureAndAnOption()
    {
        var csv = Rows(60, i => Start.AddMonths(i % 12).AddDays(i / 12).ToString("dd/MM/yyyy", CultureInfo.InvariantCulture));

        var open = Infer(csv);
        var told = Infer(csv, new() { DateOrder = DateOrder.DayFirst });

        Assert.Contains("--date-order dmy or mdy", open.Reports.Single(report => report.Name == "day").Problem, StringComparison.Ordinal);
        Assert.Equal("day (days since the first)", told.Features.FeatureNames[0]);
        Assert.Equal(31, told.Features.EncodeAll(CsvTable.Parse("day,x\n01/02/2023,1\n"))[0]);
    }

    [Fact]
    public void Infer_StrayTextAmongDates_IsAWarningThatNamesIt()
    {
        var csv = Rows(60, i => i == 17 ? "soon" : Start.AddDays(i).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));

        Assert.Contains("'soon' is none", Infer(csv).Reports.Single(report => report.Name == "day").Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10-1234")]
    [InlineData("A 2021")]
    [InlineData("10:30")]
    [InlineData("3 May")]
    public void Infer_CodesAndHalfDates_AreNoDates(string first)
    {
        var csv = Rows(60, i => i % 2 == 0 ? first : $"{first}{(char)('a' + (i % 3))}");

        Assert.Empty(Infer(csv).Features.Dates);
    }

    [Fact]
    public void Encode_DateMissing_IsTheMeanAndNoDay()
    {
        var rows = Enumerable.Range(0, 29).Select(i => $"{i % 2},{(i == 28 ? "NA" : $"{Start.AddDays(i):yyyy-MM-dd}")},{i}\n");
        var schema = Infer($"y,day,x\n{string.Concat(rows)}");

        var features = schema.Features.EncodeAll(CsvTable.Parse("day,x\n,1\n"));

        Assert.Equal(13.5f, features[0]);
        Assert.Equal(1, schema.Reports.Single(report => report.Name == "day").MissingRows);
        Assert.Equal(1, schema.Features.FeatureNames.Zip(features).Single(pair => pair.First == "day (day of the week)=(missing)").Second);
    }

    [Fact]
    public void Encode_TextThatIsNoDate_NamesLineColumnAndForm()
    {
        var schema = Infer(Rows(60, i => Start.AddDays(i).ToString("dd.MM.yyyy", CultureInfo.InvariantCulture)));

        var error = Assert.Throws<TableException>(() => schema.Features.EncodeAll(
            CsvTable.Parse("day,x\n01.02.2023,1\n31.31.2023,1\n", "new.csv")));

        Assert.Equal(
            "new.csv, line 3, column 'day': '31.31.2023' is not a date as those of this column are written (as 31.12.2021, the day in "
            + "front); fix it or leave the field empty.",
            error.Message);
    }

    [Theory]
    [InlineData("MM/dd/yyyy")]
    [InlineData("yyyy-MM-dd")]
    public void FromJson_OfToJson_MakesTheSameFeatures(string format)
    {
        var csv = Rows(900, i => Start.AddDays(i).ToString(format, CultureInfo.InvariantCulture));
        var schema = Infer(csv);

        var read = FeatureMap.FromJson(schema.Features.ToJson());

        Assert.Equal(schema.Features.EncodeAll(CsvTable.Parse(csv)), read.EncodeAll(CsvTable.Parse(csv)));
        Assert.Contains("\"version\":4", schema.Features.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_TableWithoutTheDate_SaysThatTheDateIsMissing()
    {
        var schema = Infer(Rows(60, i => Start.AddDays(i).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)));

        var error = Assert.Throws<TableException>(() => schema.Features.Bind(CsvTable.Parse("x\n1\n")));

        Assert.Contains("the model needs column day, which the table does not have", error.Message, StringComparison.Ordinal);
    }

    private static DateTime Start { get; } = new(2023, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private static string Rows(int count, Func<int, string> date) =>
        $"y,day,x\n{string.Concat(Enumerable.Range(0, count).Select(i => $"{i % 2},{date(i)},{i % 7}\n"))}";

    private static TableSchema Infer(string csv, TableSchemaOptions? options = null) =>
        TableSchema.Infer(CsvTable.Parse(csv), "y", LearningTask.Binary, options);
}

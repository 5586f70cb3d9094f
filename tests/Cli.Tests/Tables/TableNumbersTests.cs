using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Numbers as people write them, and what is made of them.</summary>
public sealed class TableNumbersTests
{
    // One amount in the dress of many places; what it is, is said by the row that all of them have beside it.
    public static TheoryData<string, double[]> Dresses => new()
    {
        { "2701|1533|950|-1.5", [2701, 1533, 950, -1.5] },
        { "2,701.50|1,533.50|950.50|-1.50", [2701.5, 1533.5, 950.5, -1.5] },
        { "2.701,50|1.533,50|950,50|-1,50", [2701.5, 1533.5, 950.5, -1.5] },
        { "2 701,50|1 533,50|950,50|-1,50", [2701.5, 1533.5, 950.5, -1.5] },
        { "2\u00A0701,50|1\u00A0533,50|950,50|\u22121,50", [2701.5, 1533.5, 950.5, -1.5] },
        { "2\u202F701,50|1\u2009533,50|950,50|\u22121,50", [2701.5, 1533.5, 950.5, -1.5] },
        { "2'701.50|1’533.50|950.50|-1.50", [2701.5, 1533.5, 950.5, -1.5] },
        { "27,01,533|1,533.50|9,50,000|-1", [2701533, 1533.5, 950000, -1] },
        { "$2,701.50|$1,533.50|$950.50|-$1.50", [2701.5, 1533.5, 950.5, -1.5] },
        { "$2,701.50|$1,533.50|$950.50|($1.50)", [2701.5, 1533.5, 950.5, -1.5] },
        { "2.701,50 €|1.533,50 €|950,50 €|-1,50 €", [2701.5, 1533.5, 950.5, -1.5] },
        { "€ 2.701,50|€ 1.533,50|€ 950,50|€ -1,50", [2701.5, 1533.5, 950.5, -1.5] },
        { "EUR 2701|EUR 1533|EUR 950|EUR -1", [2701, 1533, 950, -1] },
        { "27%|15.5%|9 %|-1%", [27, 15.5, 9, -1] },
        { "5 kg|12.5 kg|1,200 KG|3kg", [5, 12.5, 1200, 3] },
        { "$5|12.5|$1,200|3", [5, 12.5, 1200, 3] },
        { "1.2k|0.3k|12k|3k", [1.2, 0.3, 12, 3] },
        { "20°C|-3.5°C|7 °C|0°C", [20, -3.5, 7, 0] },
        { "45 m²|60,5 m²|1.200 m²|8 m²", [45, 60.5, 1200, 8] },
        { "(1,200)|(35)|400|2,000", [-1200, -35, 400, 2000] },
        { "12-|3.5-|4|+7", [-12, -3.5, 4, 7] },
        { "503,-|632,50|12,–|7", [503, 632.5, 12, 7] },
        { "€ 503,-|€ 632,50|€ 12,-|€ 7", [503, 632.5, 12, 7] },
        { "CHF 503.-|CHF 632.50|CHF 12.-|CHF 7", [503, 632.5, 12, 7] },
        { "1,5E+03|2,5e2|-1E-1|7", [1500, 250, -0.1, 7] },
        { ".5|1.25|-.75|10.", [0.5, 1.25, -0.75, 10] },
        { ",5|1,25|-,75|10", [0.5, 1.25, -0.75, 10] },
        { "1.234.567|2.345|12|950", [1234567, 2345, 12, 950] },
        { "0.123|1.234|0.950|2.701", [0.123, 1.234, 0.95, 2.701] },
        { "0,123|1,234|0,950|2,701", [0.123, 1.234, 0.95, 2.701] },
        { "1234,567|2,345|12|950", [1234.567, 2.345, 12, 950] },
        { "１２|３４.5|٥٦|7", [12, 34.5, 56, 7] },
    };

    [Theory]
    [MemberData(nameof(Dresses))]
    public void Infer_NumbersInLocalDress_ReadsWhatTheyMean(string column, double[] expected)
    {
        var (numbers, read) = Read("\"" + column.Replace("|", "\";1\n\"", StringComparison.Ordinal) + "\";1", ';');

        Assert.Null(numbers.Problem);
        Assert.Equal(expected, read);
        Assert.Equal(column.Split('|').All(text => CellValue.Read(text).Kind == CellKind.Number), numbers.Reading is null);
    }

    [Theory]

    // Thousands beside what has none: 950 stands just below 1.234, if that is 1234.
    [InlineData(';', "950|1.234|2.700|801", 1234, true)]
    [InlineData(',', "950|1,234|2,700|801", 1234, true)]
    [InlineData(',', "950|1.234|2.700|801", 1234, true)]

    // Decimals beside whole numbers: 3 stands among 2.750 and 4.125.
    [InlineData(',', "3|2.750|4.125|1.234", 1.234, false)]
    [InlineData(';', "3|2,750|4,125|1,234", 1.234, true)]

    // Counts, most of them small: the file has to say it.
    [InlineData(';', "2|1|3|40|1.203", 1203, true)]
    [InlineData(',', "2|1|3|40|1,203", 1203, true)]

    // Nothing beside it: the separator of the fields has to say it.
    [InlineData(',', "1,234|1,533", 1234, true)]
    [InlineData(';', "1,234|1,533", 1.234, true)]
    [InlineData(',', "1.234|1.533", 1.234, false)]
    [InlineData(';', "1.234|1.533", 1234, true)]
    [InlineData('\t', "1.234|1.533", 1.234, false)]
    [InlineData('\t', "1,234|1,533", 1234, true)]
    public void Infer_AmbiguousColumn_DecidesByWhatIsBesideItAndSaysSo(char separator, string column, double expected, bool said)
    {
        var (numbers, read) = Read(Lines(column, separator, "1"), separator);

        Assert.Contains(expected, read);
        Assert.Equal(said, numbers.Reading is not null);
        if (said) Assert.Contains("(--decimal-mark x=", numbers.Reading, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(';', "1.234|1.533", "0.5", 1.234)]
    [InlineData(';', "1,234|1,533", "0.5", 1234)]
    [InlineData(',', "1,234|1,533", "0,5", 1.234)]
    [InlineData('\t', "1.234|1.533", "0,5", 1234)]
    public void Infer_AmbiguousColumn_FollowsTheOtherColumns(char separator, string column, string beside, double expected) =>
        Assert.Equal(expected, Read(Lines(column, separator, beside), separator).Read[0]);

    [Fact]
    public void Infer_ColumnsOfTwoPlaces_AreReadEachInItsOwnWay()
    {
        var table = CsvTable.Parse("a;b\n2.701,50;-1.6\n950,25;0.8\n");

        Assert.Equal(new NumberFormat(',', '.', null), TableNumbers.Infer(table)[table.Column("a")].Format);
        Assert.Equal(NumberFormat.Plain, TableNumbers.Infer(table)[table.Column("b")].Format);
    }

    [Theory]
    [InlineData("5 kg|300 g|2 kg|700 g", "it has different units (kg, g), as '5 kg', '300 g'")]
    [InlineData("$5|€6|$7|€8", "it has different units ($, €), as '$5', '€6'")]
    [InlineData("1.2k|950|3.4k|800", "some have k and some have not, as '1.2k', '950'")]
    [InlineData("107 mW|203 MW|9 mW|4 MW", "it has different units (mW, MW), as '107 mW', '203 MW'")]
    [InlineData("10 Mb|3 MB|7 Mb|4 MB", "it has different units (Mb, MB), as '10 Mb', '3 MB'")]
    [InlineData("5k|3M|7k|4M", "it has different units (k, M), as '5k', '3M'")]
    [InlineData("27%|0.15|33%|0.2", "some have % and some have not, as '27%', '0.15'")]
    [InlineData("1,5|1.5|2,5|2.5", "its numbers have different marks, as '1,5', '1.5'")]
    [InlineData("<5|7|9|>20", "some are bounds or ranges, as '<5', '7'")]
    public void Infer_LooksLikeNumbersButIsNone_SaysWhyWithAnExample(string column, string expected)
    {
        var problem = Read(Lines(column, '\t', "1"), '\t').Numbers.Problem;

        Assert.Equal($"looks like numbers, but is not read as such: {expected}", problem);
    }

    [Theory]
    [InlineData("2020-01-02|2020-01-03")]
    [InlineData("01.02.2020|31.12.2021")]
    [InlineData("12:30|13:45")]
    [InlineData("18-25|26-35")]
    [InlineData("192.168.0.1|10.0.0.1")]
    [InlineData("A12|B13")]
    [InlineData("12 Main St|7 High Rd|9 Low Ln|3 Elm Av|5 Oak Dr|6 Ash Ct")]
    [InlineData("red|blue")]
    [InlineData("5'11|6'2")]
    [InlineData("-|--")]
    public void Infer_Texts_AreNotTakenForNumbers(string column)
    {
        var table = CsvTable.Parse("x\ty\n" + Lines(column, '\t', "1") + "\n");

        Assert.Equal(new ColumnNumbers(NumberFormat.Plain), TableNumbers.Infer(table)[table.Column("x")]);
    }

    [Theory]
    [InlineData("", ',', null, 1.234)]
    [InlineData("x", ',', null, 1.234)]
    [InlineData("", '.', null, 1234)]
    [InlineData("x", '.', null, 1234)]
    [InlineData("", null, ',', 1234)]
    [InlineData("", null, '.', 1.234)]
    public void Infer_MarksGiven_AreFollowed(string column, char? decimalMark, char? groupMark, double expected)
    {
        var decimals = new Dictionary<string, char>();
        var groups = new Dictionary<string, char?>();
        if (decimalMark is { } mark) decimals.Add(column, mark);
        if (groupMark is not null) groups.Add(column, groupMark);
        var marks = new NumberMarks(decimals, groups);

        Assert.Equal(expected, Read("\"1,234\",1\n\"1,533\",2", ',', marks).Read[0]);
    }

    [Fact]
    public void Infer_MarksGivenThatTheNumbersDoNotHave_SaysSo() => Assert.Contains(
        "its numbers do not have the marks that were asked for, as '1.5'",
        Read("1.5;1\n2.5;2", ';', new NumberMarks(new Dictionary<string, char> { [""] = ',' }, new Dictionary<string, char?>()))
            .Numbers.Problem,
        StringComparison.Ordinal);

    [Theory]
    [InlineData('.', null, null, "1,5")]
    [InlineData('.', null, null, "1,533")]
    [InlineData('.', null, null, "$5")]
    [InlineData('.', ',', null, "1,5")]
    [InlineData('.', ',', null, "1.533,50")]
    [InlineData('.', ',', null, "0,533")]
    [InlineData(',', '.', null, "1.5")]
    [InlineData(',', null, null, "1.533")]
    [InlineData(null, null, null, "1.533")]
    [InlineData(null, null, null, "1,533")]
    [InlineData('.', null, "%", "0.27")]
    [InlineData('.', null, "kg", "5 g")]
    [InlineData('.', null, "kg", "5")]
    [InlineData('.', null, "m", "5 M")]
    [InlineData('.', null, "$", "€5")]
    public void TryRead_WrittenOtherwise_IsRefusedInsteadOfMisread(char? decimalMark, char? groupMark, string? unit, string text) =>
        Assert.False(new NumberFormat(decimalMark, groupMark, unit).TryRead(text, out _));

    [Theory]
    [InlineData('.', null, "1234567890123456789.25", "1234567890123456789.25")]
    [InlineData(',', '.', "-1.234.567.890.123.456.789,25 €", "-1234567890123456789.25")]
    [InlineData(null, ' ', "1 234 567 890 123 456 789", "1234567890123456789")]
    public void TryReadExact_ManyDigits_KeepsAllOfThem(char? decimalMark, char? groupMark, string text, string expected)
    {
        Assert.True(new NumberFormat(decimalMark, groupMark, "€").TryReadExact(text, out var number));

        Assert.Equal(decimal.Parse(expected, CultureInfo.InvariantCulture), number);
    }

    [Fact]
    public void Encode_ManyDigitsInLocalDress_TellsThemApart()
    {
        var numbers = Enumerable.Range(0, 100).Select(row => (712_345_600_000 + row, row % 2)).ToList();
        var plain = CsvTable.Parse("x;y\n" + string.Concat(numbers.Select(row => $"{row.Item1}.5;{row.Item2}\n")));
        var german = CsvTable.Parse("x;y\n" + string.Concat(numbers.Select(row => $"{row.Item1:#\\.###\\.###\\.###},5;{row.Item2}\n")));

        var expected = TableSchema.Infer(plain, "y", LearningTask.Binary).Features.EncodeAll(plain);

        Assert.Equal(100, expected.Distinct().Count());
        Assert.Equal(expected, TableSchema.Infer(german, "y", LearningTask.Binary).Features.EncodeAll(german));
    }

    [Fact]
    public void TryRead_WhatWriteWrote_ComesBack()
    {
        var format = Gen.Elements(
            NumberFormat.Plain, new(',', '.', null), new(',', ' ', "kg"), new('.', ',', "%"), new(null, '\'', "$"), new(null, null, null));

        Prop.ForAll(ArbMap.Default.ArbFor<NormalFloat>(), format.ToArbitrary(), (number, written) =>
            written.TryRead(written.Write(number.Get), out var read) && read == number.Get)
            .Check(Config.QuickThrowOnFailure.WithReplay(20261127, 1));
    }

    [Fact]
    public void Map_NumbersInLocalDress_TravelsAsJson()
    {
        var table = CsvTable.Parse("y;x;z\n1,5;2.701,50 €;1\n2,5;950,25 €;2\n");
        var schema = TableSchema.Infer(table, "y", LearningTask.Regression);

        var json = schema.Features.ToJson();
        var read = FeatureMap.FromJson(json);

        Assert.Contains("\"version\":2", json, StringComparison.Ordinal);
        Assert.Equal(new NumberFormat(',', '.', null), read.LabelNumbers);
        Assert.Equal(new NumberFormat(',', '.', "€"), ((NumericFeature)read.Columns[0]).Numbers);
        Assert.Equal([2701.5f, 1f, 950.25f, 2f], read.EncodeAll(table));
        Assert.Equal([1.5f, 2.5f], schema.Label.Encode(table));
    }

    [Fact]
    public void Map_NewRowsWrittenOtherwise_NamesCellAndFormat()
    {
        var map = TableSchema.Infer(CsvTable.Parse("y;x\n1;2.701,50\n2;950,25\n"), "y", LearningTask.Regression).Features;

        var e = Assert.Throws<TableException>(() => map.EncodeAll(CsvTable.Parse("x,y\n\"2,701.50\",1\n", "new.csv")));

        Assert.Equal(
            "new.csv, line 2, column 'x': '2,701.50' is not a number as those of this column are written (with a decimal comma and '.' "
            + "between thousands); fix it or leave the field empty.",
            e.Message);
    }

    private static string Lines(string column, char separator, string beside) => string.Join(
        '\n', column.Split('|').Select(text => $"\"{text}\"{separator}\"{beside}\""));

    private static (ColumnNumbers Numbers, double[] Read) Read(string lines, char separator, NumberMarks? marks = null)
    {
        var table = CsvTable.Parse($"x{separator}y\n{lines}\n");
        var column = table.Column("x");
        var numbers = TableNumbers.Infer(table, marks)[column];
        return (numbers, [.. Enumerable.Range(0, table.RowCount).Select(
            row => numbers.Format.TryRead(column[row], out var number) ? number : double.NaN)]);
    }
}

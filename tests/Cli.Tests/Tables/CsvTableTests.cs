using System.Text;
using CsvHelper;
using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

public sealed class CsvTableTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"mlnetbn-{Guid.NewGuid():N}.csv");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Read_Churn_HasRowsColumnsAndMissingValues()
    {
        var table = SampleData.Churn;

        Assert.Equal(7043, table.RowCount);
        Assert.Equal(20, table.Columns.Count);
        Assert.Equal("churn", table.Columns[0].Name);
        Assert.Equal("Month-to-month", table.Column("contract")[0]);
        Assert.Equal(11, Enumerable.Range(0, table.RowCount).Count(table.Column("total_charges").IsMissing));
    }

    [Fact]
    public void Parse_QuotedFields_KeepsLineBreaksSeparatorsAndQuotes()
    {
        var table = CsvTable.Parse("a,b\n\"x\r\ny\",\"1,5\"\n\"say \"\"hi\"\"\",2\n");

        Assert.Equal("x\r\ny", table.Column("a")[0]);
        Assert.Equal("1,5", table.Column("b")[0]);
        Assert.Equal("say \"hi\"", table.Column("a")[1]);
    }

    [Fact]
    public void LineOf_BlankLinesAndLineBreaksInFields_CountsAsAnEditorDoes()
    {
        var table = CsvTable.Parse("a,b\n\"x\ny\",1\n\nz,2\n");

        Assert.Equal(2, table.LineOf(0));
        Assert.Equal(5, table.LineOf(1));
    }

    [Theory]
    [InlineData("a;b\n1,5;2\n", "1,5")]
    [InlineData("a\tb\n1,5\t2\n", "1,5")]
    [InlineData("\"a\",\"b\"\n\"1;5\",2\n", "1;5")]
    [InlineData("sep=;\na;b\n1,5;2\n", "1,5")]
    public void Parse_OtherSeparators_AreFound(string csv, string expected)
    {
        var table = CsvTable.Parse(csv);

        Assert.Equal(["a", "b"], table.Columns.Select(column => column.Name));
        Assert.Equal(expected, table.Column("a")[0]);
        Assert.Equal("2", table.Column("b")[0]);
    }

    [Fact]
    public void Parse_WhiteSpaceAroundFields_IsDropped()
    {
        var table = CsvTable.Parse(" a , b\n x , \" y \"\n");

        Assert.Equal(["a", "b"], table.Columns.Select(column => column.Name));
        Assert.Equal("x", table.Column("a")[0]);
        Assert.Equal("y", table.Column("b")[0]);
    }

    [Fact]
    public void Parse_QuoteInsideUnquotedField_IsText() => Assert.Equal("5\" pipe", CsvTable.Parse("a,b\n5\" pipe,1\n").Column("a")[0]);

    [Theory]
    [InlineData("a\n1\n\n2\n", 3)]
    [InlineData("a\r\n1\r\n\r\n2", 3)]
    [InlineData("a\n1\n\n\n", 3)]
    [InlineData("a\n1\n  \n2\n", 3)]
    [InlineData("a\n\"\"\n\n\"\"\n", 3)]
    [InlineData("a\n\n", 1)]
    [InlineData("\n\na\n1\n", 1)]
    [InlineData("a,b\n1,2\n\n,\n3,4\n\n", 3)]
    [InlineData("a;b\n;\n\"\";\"\"\n", 2)]
    [InlineData("a\tb\n\t\n1\t2", 2)]
    [InlineData("a\r1\r\r2\r", 3)]
    public void Parse_LinesWithoutAnything_AreRowsWhereThereIsOneColumn(string csv, int rows) =>
        Assert.Equal(rows, CsvTable.Parse(csv).RowCount);

    [Theory]
    [InlineData("a\n1\n\n2\n\n", "t.csv: 2 lines are empty, the first is line 3; in a table of one column an empty line is a row without a "
        + "value.")]
    [InlineData("a,b\n1,2\n\n3,4\n\n", "t.csv: line 3 is empty; in a table of 2 columns an empty line is no row.")]
    [InlineData("a,b\n1,2\n\n\n", null)]
    [InlineData("a\n1\n\"\"\n", null)]
    public void Note_LinesWithoutAnything_SaysWhatTheyAre(string csv, string? expected) =>
        Assert.Equal(expected, CsvTable.Parse(csv, "t.csv").Note);

    [Theory]
    [InlineData("")]
    [InlineData("NA")]
    [InlineData(" nan ")]
    [InlineData("NULL")]
    [InlineData("?")]
    [InlineData("n/a")]
    public void IsMissing_Markers_AreMissing(string text) => Assert.True(CsvTable.Parse($"a,b\n{text},1\n").Column("a").IsMissing(0));

    [Theory]
    [InlineData("None")]
    [InlineData("0")]
    [InlineData("Nan Madol")]
    public void IsMissing_OtherTexts_AreNot(string text) => Assert.False(CsvTable.Parse($"a,b\n{text},1\n").Column("a").IsMissing(0));

    [Theory]
    [InlineData("utf-8")]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    public void Read_ByteOrderMark_DecidesTheEncoding(string encoding)
    {
        File.WriteAllText(_file, "Größe,x\nmäßig,1\n", Encoding.GetEncoding(encoding));

        var table = CsvTable.Read(_file);

        Assert.Equal("mäßig", table.Column("Größe")[0]);
    }

    [Fact]
    public void Read_NotUtf8_IsReadAsWindows1252()
    {
        File.WriteAllBytes(_file, [.. "Gr"u8, 0xF6, 0xDF, .. "e,x\n"u8, 0x80, .. " 5,1\n"u8]);

        Assert.Equal("€ 5", CsvTable.Read(_file).Column("Größe")[0]);
    }

    [Fact]
    public void Select_Rows_KeepsTextsAndLines()
    {
        var table = CsvTable.Parse("a,b\nx,1\ny,2\nz,3\n").Select([2, 0]);

        Assert.Equal(2, table.RowCount);
        Assert.Equal("z", table.Column("a")[0]);
        Assert.Equal(4, table.LineOf(0));
        Assert.Equal("x", table.Column("a")[1]);
    }

    [Fact]
    public void Read_NoSuchFile_NamesIt() => Fails(() => CsvTable.Read(_file), $"{_file}: there is no such file.");

    [Fact]
    public void Read_Folder_SaysSo() => Fails(() => CsvTable.Read(AppContext.BaseDirectory), "this is a folder, not a file");

    [Fact]
    public void Read_NulBytes_IsNotText()
    {
        File.WriteAllBytes(_file, [0x50, 0x4B, 3, 4, 0, 0, 8, 0]);

        Fails(() => CsvTable.Read(_file), "not a text file (byte 4 is zero); save the table as CSV in UTF-8");
    }

    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData(" \r\n\n", "the file is empty")]
    [InlineData("\uFEFF", "the file is empty")]
    [InlineData("sep=;\n", "the file is empty")]
    [InlineData("a,b\n", "there is a header but no rows")]
    [InlineData("a,b", "there is a header but no rows")]
    [InlineData("a,,c\n1,2,3\n", "column 2 has no name in the header")]
    [InlineData("a,b,\n1,2,\n", "column 3 has no name in the header")]
    [InlineData("a,b, a\n1,2,3\n", "columns 1 and 3 are both named 'a'")]
    [InlineData("a,b\n1,2\n1,2,3\n", "t.csv, line 3: 3 fields where the header has 2")]
    [InlineData("a,b\n\"x\ny\",2\n1\n", "t.csv, line 4: 1 field where the header has 2")]
    [InlineData("a,b\n1,2\n\"x,2\n3,4\n", "t.csv, line 3: a quoted field that starts here is never closed")]
    [InlineData("a,b\n1,\"2\n3,4\n", "t.csv, line 2: a quoted field that starts here is never closed")]
    [InlineData("a,b\n\"x\"y,2\n", "t.csv, line 2: there is text after a closing quote")]
    public void Parse_BadTable_SaysWhatAndWhere(string csv, string expected) => Fails(() => CsvTable.Parse(csv, "t.csv"), expected);

    [Fact]
    public void Column_NotThere_ListsTheColumns() =>
        Fails(() => CsvTable.Parse("a,b\n1,2\n", "t.csv").Column("c"), "t.csv: there is no column 'c'; the columns are a, b.");

    [Fact]
    public void Parse_AnyFieldsAsAWriterQuotesThem_ComeBackTrimmed()
    {
        // A header of its own keeps the separator out of the question; the fields are all that can go wrong in a cell.
        var field = Gen.Elements("", " ", "a", "\"", "\"\"", ",", ";", "\t", "\n", "\r\n", "é", "𝄞", "0")
            .ListOf(6).Select(string.Concat);
        var rows = field.ArrayOf(3).NonEmptyListOf();

        Prop.ForAll(rows.ToArbitrary(), written =>
        {
            using var text = new StringWriter();
            using (var writer = CsvWriter.Create(text, CsvWriterOptions.Default, leaveOpen: true))
            {
                writer.WriteRecord("first", "second", "third");
                foreach (var row in written)
                    writer.WriteRecord(row);
            }

            var table = CsvTable.Parse(text.ToString());
            return table.RowCount == written.Count && written.Index().All(row =>
                row.Item.Index().All(cell => table.Columns[cell.Index][row.Index] == cell.Item.Trim(' ', '\t')));
        }).Check(Config.QuickThrowOnFailure.WithReplay(20261122, 1));
    }

    [Fact]
    public void Read_AnyBytes_GivesATableOrOneLineOfError()
    {
        var bytes = Gen.OneOf(
                Gen.Elements("y,x\n", "y;x\r\n", "1,2\n", "0,\"", "\"", "\n", ",", ";", "sep=", "inf", "é", " ")
                    .Select(Encoding.UTF8.GetBytes),
                Gen.Choose(0, 255).Select(value => new[] { (byte)value }))
            .ArrayOf().Select(parts => parts.SelectMany(part => part).ToArray());

        Prop.ForAll(bytes.ToArbitrary(), content =>
        {
            File.WriteAllBytes(_file, content);
            try
            {
                var table = CsvTable.Read(_file);
                var schema = TableSchema.Infer(table, table.Columns[0].Name, LearningTask.Multiclass);
                return schema.Features.EncodeAll(table).Length > 0;
            }
            catch (TableException e)
            {
                return !e.Message.Contains('\n', StringComparison.Ordinal);
            }
        }).Check(Config.QuickThrowOnFailure.WithReplay(20261122, 1).WithMaxTest(300));
    }

    private static void Fails(Action action, string expected)
    {
        var e = Assert.Throws<TableException>(action);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }
}

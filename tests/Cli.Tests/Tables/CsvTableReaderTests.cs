using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Columns that are read as numbers are what their texts say, however large the file and wherever a text comes up.</summary>
public sealed class CsvTableReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TryRead_AnyText_IsTheNumberThatDotNetReads()
    {
        var part = Gen.Elements(
            "", "0", "1", "9", "25", "007", "123456789", "9007199254740993", ".", "-", "+", "e", "E5", "e-3", "e+400", ",", " ");
        var text = Gen.OneOf(
            part.ListOf(5).Select(string.Concat),
            ArbMap.Default.GeneratorFor<double>().Select(number => number.ToString("R", CultureInfo.InvariantCulture)),
            Gen.Choose(-2_000_000, 2_000_000).Select(number => (number / 1000m).ToString(CultureInfo.InvariantCulture)),
            Gen.Elements("", "?", "na", "N/A", "#n/a", "NaN", "NULL", "nil", "-", ".", "inf"));

        Prop.ForAll(text.ToArbitrary(), cell =>
        {
            var trimmed = cell.Trim();
            var expected = CellValue.Read(trimmed);
            var isRead = default(NumberTraits).TryRead(Encoding.UTF8.GetBytes(trimmed), '.', 0, true, out var number);
            return isRead == expected.Kind is CellKind.Number or CellKind.Missing && number.Equals(expected.Number + 0.0);
        }).Check(Config.QuickThrowOnFailure.WithReplay(20261128, 1).WithMaxTest(3000));
    }

    [Fact]
    public void Read_AnyColumns_AreAsThoughTheirTextsWereKept()
    {
        var number = Gen.Choose(-99_999, 99_999);
        Gen<string>[] kinds =
        [
            number.Select(value => $"{value}"),
            number.Select(value => (value / 1000m).ToString("0.000", CultureInfo.InvariantCulture)),
            number.Select(value => (value / 100m).ToString(CultureInfo.InvariantCulture)),
            number.Select(value => (value / 100m).ToString(CultureInfo.InvariantCulture).Replace('.', ',')),
            number.Select(value => (value / 1000m).ToString("0.000", CultureInfo.InvariantCulture).Replace('.', ',')),
            number.Select(value => $"12345678901234{value + 500_000}"),
            Gen.Elements("a", "b", "5 kg", "1.234,5"),
            Gen.Elements("", "NA", "1e5", "-.5", "7."),
        ];
        var column =
            from main in Gen.Elements(kinds)
            from other in Gen.Elements(kinds)
            from cells in Gen.Frequency((9, main), (1, other)).ArrayOf(24)
            select cells;

        Prop.ForAll(column.ArrayOf(3).ToArbitrary(), columns =>
        {
            var lines = Enumerable.Range(0, 24).Select(row => string.Join(';', columns.Select(cells => cells[row])) + $";{row % 2}");
            var path = _folder.File("t.csv");
            File.WriteAllText(path, $"{string.Join(';', columns.Select((_, i) => $"c{i}"))};y\n{string.Join('\n', lines)}\n");
            var names = columns.Select((_, i) => $"c{i}").ToArray();
            Assert.Equal(Describe(CsvTable.Read(path, names)), Describe(CsvTable.Read(path)));
        }).Check(Config.QuickThrowOnFailure.WithReplay(20261128, 3).WithMaxTest(400));

        // All that becomes of the columns, and of a part of the rows.
        static string Describe(CsvTable table)
        {
            var text = new StringBuilder();
            foreach (var rows in new[] { table, table.Select([3, 4, 5, 9, 12, 20, 21]) })
            {
                var numbers = TableNumbers.Infer(rows);
                foreach (var column in rows.Columns)
                {
                    text.AppendLine($"{numbers[column]} {string.Join('|', Enumerable.Range(0, rows.RowCount).Select(row => column[row]))}");
                    text.AppendLine(string.Join('|', Enumerable.Range(0, rows.RowCount).Select(column.IsMissing)));
                }

                try
                {
                    var schema = TableSchema.Infer(rows, "y", LearningTask.Binary);
                    foreach (var report in schema.Reports) text.AppendLine($"{report with { Categories = [] }}");
                    text.AppendLine(schema.Features.ToJson());
                    text.AppendJoin(' ', schema.Features.EncodeAll(table));
                }
                catch (TableException exception)
                {
                    text.AppendLine(exception.Message);
                }
            }

            return text.ToString();
        }
    }

    [Fact]
    public void Read_FileOfManyBlocks_HasTheNumbersTextsAndLinesThatWereWritten()
    {
        const int rows = 70_000;
        var path = _folder.File("large.csv");
        WriteLarge(path, rows);

        var table = CsvTable.Read(path);

        Assert.Equal(rows, table.RowCount);
        Assert.Equal($"{path}: 2 lines are empty, the first is line 40002; in a table of 6 columns an empty line is no row.", table.Note);
        Assert.NotNull(table.Column("few").Numbers);
        Assert.NotNull(table.Column("many").Numbers);
        Assert.Null(table.Column("late").Numbers);
        for (var row = 0; row < rows; row++)
        {
            Assert.Equal(row / 100.0, table.Column("few").NumberAt(row));
            Assert.Equal(Math.Sqrt(row), table.Column("many").NumberAt(row));
            Assert.Equal(row == 60_000 ? "none" : $"{row}.50", table.Column("late")[row]);
            Assert.Equal($"name {row}", table.Column("name")[row]);
            Assert.Equal(row % 7 == 0, table.Column("gaps").IsMissing(row));
            Assert.Equal(row == 50_000 ? "two\nlines" : "one", table.Column("quoted")[row]);
            Assert.Equal(row + 2 + (row >= 40_000 ? 1 : 0) + (row >= 50_001 ? 2 : 0), table.LineOf(row));
        }

        Assert.Equal("0.10", table.Column("few")[10]);
        var part = table.Select([69_999, 3]);
        Assert.Equal([699.99, 0.03], part.Column("few").ReadRows(part, 0));
        Assert.Equal(["699.99", "0.03"], [part.Column("few")[0], part.Column("few")[1]]);
    }

    [Fact]
    public void ReadTables_FileOfManyBlocks_AreItsRowsInOrder()
    {
        var path = _folder.File("large.csv");
        WriteLarge(path, 70_000);
        var whole = CsvTable.Read(path);
        var row = 0;

        using var reader = CsvTableReader.Open(CsvSource.OfFile(path), name => name switch
        {
            "name" => CellReading.Text,
            "quoted" => CellReading.None,
            _ => CellReading.Point,
        });
        foreach (var block in reader.ReadTables())
        {
            for (var i = 0; i < block.RowCount; i++, row++)
            {
                Assert.Equal(whole.Column("many").NumberAt(row), block.Column("many").NumberAt(i));
                Assert.Equal(whole.Column("late")[row], block.Column("late")[i]);
                Assert.Equal(whole.Column("name")[row], block.Column("name")[i]);
                Assert.Equal(whole.Column("gaps").IsMissing(row), block.Column("gaps").IsMissing(i));
                Assert.Equal(whole.LineOf(row), block.LineOf(i));
            }

            Assert.Equal(whole.Column("quoted")[row - 1], block.Column("quoted")[block.RowCount - 1]);
        }

        Assert.Equal(70_000, row);
        Assert.Equal(whole.Note, reader.Note);
    }

    [Theory]
    [InlineData("5,6,7\n", "line 60003: 3 fields where the header has 2")]
    [InlineData("\"5,6\n", "line 60003: a quoted field that starts here is never closed")]
    [InlineData("\"5\"x,6\n", "line 60003: there is text after a closing quote")]
    [InlineData("5,\06\n", "this is not a text file (byte 1048927 is zero)")]
    public void Read_MistakeFarInAFileOfManyBlocks_SaysWhatAndWhere(string line, string expected)
    {
        var path = _folder.File("t.csv");
        var csv = new StringBuilder("a,b\n0,0\n");
        for (var row = 1; row <= 60_000; row++) csv.Append($"{row},{row * 97L:00000000000}\n");
        expected = expected.Replace("1048927", $"{csv.Length + 2}", StringComparison.Ordinal);
        csv.Append(line);
        for (var row = 0; row < 60_000; row++) csv.Append("1234567,12345678\n");
        File.WriteAllText(path, csv.ToString());

        var e = Assert.Throws<TableException>(() => CsvTable.Read(path));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Read_CharactersAcrossTheEdgesOfWhatIsReadAtOnce_AreWhole()
    {
        var path = _folder.File("t.csv");
        var rows = Enumerable.Range(0, 300_000).Select(row => row % 3 == 0 ? "é" : row % 3 == 1 ? "€𝄞" : "x").ToArray();
        File.WriteAllText(path, "a,b\n" + string.Concat(rows.Select(text => $"{text},1\n")));

        var table = CsvTable.Read(path);

        Assert.Equal(3, table.Column("a").Texts.Length);
        Assert.Equal("€𝄞", table.Column("a")[299_998 / 3 * 3 + 1]);
    }

    [Fact]
    public void Read_OneByteFarInThatIsNoUtf8_IsReadAsWindows1252FromTheStart()
    {
        var path = _folder.File("t.csv");
        using (var file = File.Create(path))
        {
            file.Write("größe,x\n"u8);
            for (var row = 0; row < 200_000; row++) file.Write("12345,1\n"u8);
            file.Write([0x80, (byte)',', (byte)'1', (byte)'\n']);
        }

        var table = CsvTable.Read(path);

        Assert.Equal("grÃ¶ÃŸe", table.Columns[0].Name);
        Assert.Equal("€", table.Columns[0][200_000]);
    }

    [UnixTheory]
    [InlineData(10)]
    [InlineData(200_000)]
    public void Read_Pipe_IsReadLikeAFile(int rows)
    {
        var (data, model) = (_folder.File("t.csv"), _folder.File("out/model.onnx"));
        File.WriteAllText(data, "x,y\n" + string.Concat(Enumerable.Range(0, rows).Select(row => $"{row % 50},{row % 2}\n")));
        using var process = System.Diagnostics.Process.Start("mkfifo", _folder.File("pipe"));
        process.WaitForExit();
        var writing = Task.Run(() =>
        {
            using var pipe = new FileStream(_folder.File("pipe"), FileMode.Open, FileAccess.Write);
            using var file = File.OpenRead(data);
            file.CopyTo(pipe);
        });

        var table = CsvTable.Read(_folder.File("pipe"));

        writing.Wait(TimeSpan.FromMinutes(1));
        Assert.Equal(rows, table.RowCount);
        Assert.Equal($"{(rows - 1) % 50}", table.Column("x")[rows - 1]);
        Assert.DoesNotContain(model, Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void Read_TenThousandColumns_HasThemAll()
    {
        var path = _folder.File("wide.csv");
        const int columns = 10_000;
        using (var file = new StreamWriter(path))
        {
            file.WriteLine(string.Join(',', Enumerable.Range(0, columns).Select(i => $"c{i}")));
            for (var row = 0; row < 40; row++)
                file.WriteLine(string.Join(',', Enumerable.Range(0, columns).Select(i => i % 100 == 0 ? $"t{row % 3}" : $"{row * i}")));
        }

        var table = CsvTable.Read(path);

        Assert.Equal(39 * 9_999, table.Column("c9999").NumberAt(39));
        Assert.Equal(["t0", "t1", "t2"], table.Column("c9900").Texts.ToArray());
    }

    // A blank line before row 40,000, a field of two lines in row 50,000 and a blank line behind it.
    private static void WriteLarge(string path, int rows)
    {
        using var file = new StreamWriter(path);
        file.Write("few,many,late,name,gaps,quoted\n");
        for (var row = 0; row < rows; row++)
        {
            if (row == 40_000) file.Write("  \n");
            file.Write(string.Create(CultureInfo.InvariantCulture, $"{row / 100m:0.00},{Math.Sqrt(row):R},"));
            file.Write($"{(row == 60_000 ? "none" : $"{row}.50")},name {row},{(row % 7 == 0 ? "NA" : row)},");
            file.Write(row == 50_000 ? "\"two\nlines\"\n" : "one\n");
            if (row == 50_000) file.Write('\n');
        }
    }
}

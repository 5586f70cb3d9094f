using System.Text;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Trainer.Tests.Distribution;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>Parts of tables, and the shares that ranks read of one.</summary>
public sealed class RankedTableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Parts_OfQuotedLineBreaksAndEmptyLines_AreTheRowsOnceWithTheirLines(int rowsOfPart)
    {
        // A byte order mark, a line that names the separator, quotes and separators inside, an empty line, no line end behind the last row.
        const string Text = "\uFEFFsep=;\nname;n\n\"a;\"\"b\n,c\";1\nx;2\n\n\"\n\n\";3\n5\" pipe;4\n\"\";5\r\nü;6\nlast;7";
        var path = _folder.File("odd.csv");
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(Text));
        var whole = CsvTable.Read(path);
        var source = CsvSource.OfFile(path);
        var marks = TableMarks.FromJson(TableMarks.Find(source, rowsOfPart).ToJson());

        Assert.Equal(7, marks.Rows);
        var row = 0;
        for (var part = 0; part < marks.Marks.Count; part++)
        {
            Assert.Equal(row, marks.Marks[part].Row);
            var table = CsvTableLoader.Read(marks.Part(source, part, part + 1), ["name", "n"]);
            for (var i = 0; i < table.RowCount; i++, row++)
            {
                Assert.Equal(whole.Column("name")[row], table.Column("name")[i]);
                Assert.Equal($"{row + 1}", table.Column("n")[i]);
                Assert.Equal(whole.LineOf(row), table.LineOf(i));
            }
        }

        Assert.Equal(7, row);
    }

    [Fact]
    public void Find_Utf16_SaysWhatToDo()
    {
        var path = _folder.File("wide.csv");
        File.WriteAllText(path, "a,b\n1,2\n", Encoding.Unicode);
        var thrown = Assert.Throws<TableException>(() => TableMarks.Find(CsvSource.OfFile(path)));
        Assert.Contains("save it in UTF-8", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Read_ByRanks_DealsOutEveryRowOnceAndAllKnowTheSame(int size)
    {
        var text = new StringBuilder("id,kind,label\n");
        for (var row = 0; row < 100; row++) text.Append($"{row},{(row == 97 ? "rare" : row % 2 == 0 ? "even" : "odd")},{row % 3}\n");
        var path = _folder.File("rows.csv");
        File.WriteAllText(path, text.ToString());
        var (parts, known) = (new TableSplit[size], new CsvTable[size]);
        Threads.Run(size, ranks => (parts[ranks.Rank], known[ranks.Rank]) =
            RankedTable.Read(path, ranks, ["label"], new SplitOptions { TestShare = 0.2, Seed = 1 }, null));

        double[] Ids(CsvTable table) => [.. Enumerable.Range(0, table.RowCount).Select(row => table.Column("id").NumberAt(row))];
        var training = parts.SelectMany(part => Ids(part.Training)).ToArray();
        var test = parts.SelectMany(part => Ids(part.Test.Whole!)).ToArray();
        Assert.Equal(Enumerable.Range(0, 100).Select(id => (double)id), training.Concat(test).Order());
        Assert.Equal(20, test.Length);
        foreach (var rows in known) Assert.Equal(training, Ids(rows));
    }

    [Fact]
    public void Read_ATestTableThatIsNotThere_FailsOnAllRanksBySayingWhich()
    {
        var path = _folder.File("rows.csv");
        File.WriteAllText(path, "a,b\n1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,8\n8,9\n");
        var thrown = Assert.Throws<TableException>(() => Threads.Run(
            2, ranks => RankedTable.Read(path, ranks, [], new SplitOptions(), _folder.File("none.csv"))));
        Assert.Contains("none.csv: there is no such file", thrown.Message, StringComparison.Ordinal);
    }
}

using System.Text;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Tests.Referees;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Cli.Tests.Hostile;

/// <summary>Whatever is in a CSV file: its rows become features, or it is refused with its name.</summary>
public class HostileTableTests(ITestOutputHelper output)
{
    private static readonly string[] Cells =
    [
        "", "1", "2.5", "-3", "1e400", "1e-400", "NaN", "inf", "-inf", "1,5", "1.234,56", "1'000", "1 000", "\"a,b\"", "\"",
        "\"\"", "\"x\ny\"", "yes", "no", "é", "日本", "\u001b[2J", "\0", "2024-01-31", "0x1F", "+7", "--7",
        "9223372036854775808", "1700000000123", "?", "NA", "=1+1", "3.4e38", "1e308", "-0", ".5", "5.", "\u22124", "٣",
    ];

    private static readonly string[] Ends = ["\n", "\r\n", "\r", "\n\n", ""];

    [Fact]
    public void Read_BrokenTable_MakesFeaturesOrThrowsTableException() => output.WriteLine(new HostileInputs(9).Run(
        3000,
        Create,
        bytes =>
        {
            var table = CsvTableLoader.Read(CsvSource.OfText("hostile.csv", bytes), []);
            var task = (LearningTask)(bytes.Length % 3);
            var schema = TableSchema.Infer(table, table.Columns[^1].Name, task);
            Assert.All(schema.Features.Bind(table).EncodeAll(), value => Assert.True(float.IsFinite(value)));
            Assert.Equal(table.RowCount, schema.Label.Encode(table).Length);
        },
        exception => exception is TableException && exception.Message.Contains("hostile.csv", StringComparison.Ordinal)));

    [Theory]
    [InlineData(',', "1,5")]
    [InlineData(';', "1.5")]
    public void Infer_AsManyPointsAsCommas_NamesTheOneThatIsNoNumber(char separator, string named)
    {
        var rows = Enumerable.Range(0, 40).Select(i => $"{i}{separator}{i % 2}").Append($"1.5{separator}0").Append($"\"1,5\"{separator}1");
        var table = CsvTable.Parse($"a{separator}y\n{string.Join('\n', rows)}\n", "marks.csv");
        var message = Assert.Throws<TableException>(() => TableSchema.Infer(table, "y", LearningTask.Regression)).Message;
        Assert.Contains("marks.csv", message, StringComparison.Ordinal);
        Assert.Contains($"'{named}'", message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromJson_BrokenFeatureMap_ReadsOrThrowsInvalidData()
    {
        var table = CsvTable.Parse("a,b,c\n1,x,0\n2,y,1\n3,x,0\n4,,1\n");
        var whole = Encoding.UTF8.GetBytes(TableSchema.Infer(table, "c", LearningTask.Regression).Features.ToJson());
        output.WriteLine(new HostileInputs(10).Run(
            3000,
            random => HostileInputs.Mutated(whole, random),
            bytes => FeatureMap.FromJson(Encoding.UTF8.GetString(bytes)),
            exception => exception is InvalidDataException));
    }

    private static byte[] Create(Random random)
    {
        var separator = Pick(random, ",", ";", "\t", "|");
        var (columns, rows) = (random.Next(1, 7), random.Next(60));
        var text = new StringBuilder();
        if (random.Next(20) == 0) text.Append("sep=").Append(separator).Append('\n');
        text.AppendJoin(separator, Enumerable.Range(0, columns).Select(c => random.Next(60) == 0 ? Any(random) : $"c{c}"));
        var end = Pick(random, Ends.AsSpan(0, 3));
        text.Append(end);
        // Each column is of a kind, and now and then a cell is not.
        var kinds = Enumerable.Range(0, columns).Select(_ => random.Next(5)).ToArray();
        for (var row = 0; row < rows; row++)
        {
            var cells = Enumerable.Range(0, random.Next(400) == 0 ? columns + random.Next(-1, 2) : columns)
                .Select(c => random.Next(100) == 0 ? Any(random) : Of(kinds[c % columns], random));
            text.AppendJoin(separator, cells).Append(random.Next(400) == 0 ? Ends[random.Next(Ends.Length)] : end);
        }

        Encoding encoding = random.Next(12) switch { 0 => Encoding.Unicode, 1 => Encoding.Latin1, 2 => Encoding.UTF32, _ => Encoding.UTF8 };
        byte[] bytes = [.. random.Next(3) == 0 ? encoding.GetPreamble() : [], .. encoding.GetBytes(text.ToString())];
        return random.Next(4) == 0 ? HostileInputs.Mutated(bytes, random) : bytes;
    }

    private static string Of(int kind, Random random) => kind switch
    {
        0 => random.Next(100).ToString(System.Globalization.CultureInfo.InvariantCulture),
        1 => (random.NextDouble() * Math.Pow(10, random.Next(-40, 40))).ToString(System.Globalization.CultureInfo.InvariantCulture),
        2 => Pick(random, "yes", "yes", "no"),
        3 => Pick(random, "red", "green", "blue", ""),
        _ => (1_700_000_000 + random.Next(100)).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    private static string Any(Random random) => Cells[random.Next(Cells.Length)];

    // Mostly the first, which is right.
    private static string Pick(Random random, params ReadOnlySpan<string> texts) =>
        texts[random.Next(4) > 0 ? 0 : random.Next(texts.Length)];
}

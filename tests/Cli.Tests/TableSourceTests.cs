using System.Globalization;
using System.Text.Json;
using DuckDB.NET.Data;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Tables from several files, from Parquet and from a database; predictions as Parquet: DuckDB writes and reads them.</summary>
public sealed class TableSourceTests : IDisposable
{
    private static readonly string Provider = Path.Combine(AppContext.BaseDirectory, "DuckDB.NET.Data.dll");

    private readonly TemporaryFolder _folder = new();
    private readonly string _table;

    public TableSourceTests()
    {
        var lines = File.ReadAllLines(SampleTables.PathOf("churn.csv"));
        _table = _folder.File("churn.csv");
        File.WriteAllLines(_table, lines.Take(1201));
        for (var part = 0; part < 3; part++)
            File.WriteAllLines(_folder.File($"part{part}.csv"), lines.Take(1).Concat(lines.Skip(1 + (400 * part)).Take(400)));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_TheSameRowsFromElsewhere_GivesTheSameModel()
    {
        // The second file has its columns in another order, and another separator.
        var (second, changed) = (_folder.File("part1.csv"), _folder.File("changed"));
        Sql($"COPY (SELECT tenure, * EXCLUDE tenure FROM {Csv(second)}) TO '{changed}' (FORMAT csv, DELIMITER ';')");
        File.Move(changed, second, overwrite: true);
        Sql($"COPY (SELECT * FROM {Csv(_table)}) TO '{_folder.File("churn.parquet")}' (FORMAT parquet, ROW_GROUP_SIZE 500)");
        var expected = Train("csv", _table);

        Assert.Equal(expected, Train("files", "part0.csv", "part1.csv", "part2.csv"));
        Assert.Equal(expected, Train("pattern", "part?.csv"));
        Assert.Equal(expected, Train("parquet", "churn.parquet"));
        Assert.Equal(expected, Train(
            "query", "--sql", $"SELECT * FROM {Csv(_table)}", "--provider", Provider, "--connection", "DataSource=:memory:"));
    }

    [Fact]
    public void Score_ToParquet_IsWhatCsvSays()
    {
        Train("out", _table);
        string[] score = ["score", "out/model.onnx", "part0.csv", "part1.csv", "--keep", "contract,tenure", "--out"];
        Assert.Equal(0, Tool.Run(_folder.Path, [.. score, "p.csv"]).ExitCode);
        Assert.Equal(0, Tool.Run(_folder.Path, [.. score, "p.parquet"]).ExitCode);

        var rows = Sql($"SELECT contract, tenure, PredictedLabel, Probability, Score FROM '{_folder.File("p.parquet")}'");
        var lines = File.ReadAllLines(_folder.File("p.csv"))[1..];
        Assert.Equal(800, rows.Count);
        foreach (var (line, row) in lines.Zip(rows))
        {
            var cells = line.Split(',');
            Assert.Equal(cells[..3], row[..3].Select(value => (string)value));
            Assert.Equal(float.Parse(cells[3], CultureInfo.InvariantCulture), Assert.IsType<float>(row[3]));
            Assert.Equal(float.Parse(cells[4], CultureInfo.InvariantCulture), Assert.IsType<float>(row[4]));
        }
    }

    [Fact]
    public void Read_EveryTypeOfParquet_BecomesTheTextThatSqlHasForIt()
    {
        var file = _folder.File("types.parquet");
        Sql($"""
            COPY (SELECT i AS integers, CASE WHEN i % 3 = 0 THEN NULL ELSE i * 1000000007::BIGINT END AS large, i % 2 = 0 AS truths,
                i / 7.0::DOUBLE AS doubles, (i / 8.0)::FLOAT AS floats, (i * 1.25)::DECIMAL(9, 2) AS decimals, i::UTINYINT AS bytes,
                DATE '2024-02-28' + i::INTEGER AS dates, TIMESTAMP '2024-02-28 23:59:58.5' + to_seconds(i) AS times,
                CASE WHEN i = 2 THEN NULL ELSE 'a "quoted, text" ' || i END AS texts, [i, i] AS lists
                FROM range(5) AS t(i)) TO '{file}' (FORMAT parquet)
            """);

        var table = CsvTable.Read(
            file, "integers", "large", "truths", "doubles", "floats", "decimals", "bytes", "dates", "times", "texts");

        Assert.Contains("lists left out", table.Note, StringComparison.Ordinal);
        Assert.Equal(5, table.RowCount);
        string[] Texts(string column) => [.. Enumerable.Range(0, 5).Select(row => table.Column(column)[row])];
        Assert.Equal(["0", "1", "2", "3", "4"], Texts("integers"));
        Assert.Equal(["", "1000000007", "2000000014", "", "4000000028"], Texts("large"));
        Assert.Equal(["true", "false", "true", "false", "true"], Texts("truths"));
        Assert.Equal(
            [0, 1 / 7.0, 2 / 7.0, 3 / 7.0, 4 / 7.0],
            Texts("doubles").Select(text => double.Parse(text, CultureInfo.InvariantCulture)));
        Assert.Equal(["0", "0.125", "0.25", "0.375", "0.5"], Texts("floats"));
        Assert.Equal(
            [0m, 1.25m, 2.5m, 3.75m, 5m], Texts("decimals").Select(text => decimal.Parse(text, CultureInfo.InvariantCulture)));
        Assert.Equal(["0", "1", "2", "3", "4"], Texts("bytes"));
        Assert.All(Texts("dates").Zip(["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02", "2024-03-03"]), pair =>
            Assert.StartsWith(pair.Second, pair.First, StringComparison.Ordinal));
        Assert.Equal(
            ["2024-02-28 23:59:58.5", "2024-02-28 23:59:59.5", "2024-02-29 00:00:00.5", "2024-02-29 00:00:01.5", "2024-02-29 00:00:02.5"],
            Texts("times"));
        Assert.Equal(["a \"quoted, text\" 0", "a \"quoted, text\" 1", "", "a \"quoted, text\" 3", "a \"quoted, text\" 4"], Texts("texts"));
    }

    [Theory]
    [InlineData("no*.csv", "no file that this pattern matches")]
    [InlineData("cut.parquet", "begins as Parquet does and cannot be read")]
    [InlineData("part0.csv other.csv", "other.csv has other columns than part0.csv")]
    [InlineData("part0.csv ragged.csv", "ragged.csv, line 3: 2 fields where the header has 20")]
    [InlineData("churn.csv --sql SELECT", "not from both")]
    [InlineData("", "Which table?")]
    [InlineData("--sql SELECT", "needs --provider")]
    [InlineData("--sql SELECT --provider none.dll", "there is no such file")]
    [InlineData("--sql SELECT --provider churn.csv", "cannot be loaded")]
    [InlineData("churn.csv --connection x", "go with --sql")]
    public void Train_TableThatIsNone_SaysWhyInOneLine(string arguments, string expected)
    {
        _folder.Write("cut.parquet", "PAR1 and no more");
        _folder.Write("other.csv", "churn,female,more\nYes,1,2\n");
        var header = File.ReadLines(_table).First();
        _folder.Write("ragged.csv", header + "\n" + File.ReadLines(_table).Skip(1).First() + "\nYes,1\n");

        var result = Tool.Run(
            _folder.Path,
            ["train", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--label", "churn", "--out", "out"]);

        Assert.InRange(result.ExitCode, 1, 2);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("out")));
    }

    [Fact]
    public void Train_QueryThatFails_SaysWhatTheDatabaseSays()
    {
        var result = Tool.Run(
            _folder.Path,
            new Dictionary<string, string?> { ["MLNETBN_CONNECTION"] = "DataSource=:memory:" },
            ["train", "--sql", "SELECT * FROM nowhere", "--provider", Provider, "--label", "churn", "--out", "out"]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("the query failed", result.Error, StringComparison.Ordinal);
        Assert.Contains("nowhere", result.Error, StringComparison.Ordinal);
    }

    // By itself DuckDB takes Yes and No for truth values.
    private static string Csv(string file) => $"read_csv('{file}', auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR'])";

    private string Train(string name, params string[] table)
    {
        var result = Tool.Run(
            _folder.Path,
            ["train", .. table, "--label", "churn", "--test-order", "file", "--preset", "fast", "--epochs", "2", "--out", name]);
        Assert.True(result.ExitCode == 0, result.Error);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File($"{name}/metrics.json")));
        return metrics.RootElement.GetProperty("test").ToString();
    }

    private static List<object[]> Sql(string query)
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = query;
        using var reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            var row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }
}

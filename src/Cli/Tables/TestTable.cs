using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The rows to test on: a part of a table in memory, or a file of their own, which is gone through in blocks as often as it is asked, so
/// that no more than a few numbers for each row are kept, whatever its size.
/// </summary>
internal sealed class TestTable
{
    // What the features may take; of more rows they go to a file, where those that are drawn are found again.
    private const long FeatureMemory = 1 << 28;

    // Rows of a table in memory that are scored at once where they are scored again.
    private const int PartRows = 1 << 15;

    private readonly CsvSource? _source;
    private readonly Dictionary<string, UnknownValues> _unknown = [];
    private readonly HashSet<int> _classes = [];
    private Func<string, CellReading> _readings = _ => CellReading.Text;
    private string[] _header = [];
    private int _rows;

    private TestTable(string filePath, CsvTable? whole, CsvSource? source) => (FilePath, Whole, _source) = (filePath, whole, source);

    /// <summary>The file; messages name it.</summary>
    public string FilePath { get; }

    /// <summary>The table, where it is in memory; null where it is gone through.</summary>
    public CsvTable? Whole { get; }

    /// <summary>The rows, when they have been read.</summary>
    public int RowCount => Whole?.RowCount ?? _rows;

    /// <summary>The columns with categories that no row to learn from has, when they have been read.</summary>
    public IReadOnlyCollection<UnknownValues> UnknownValues => _unknown.Values;

    /// <summary>The classes that some row has, by their number, when they have been read.</summary>
    public IReadOnlySet<int> Classes => _classes;

    /// <summary>What is to be said of how lines became rows, when they have been read; null = nothing.</summary>
    public string? Note { get; private set; }

    /// <summary>Takes a table that is in memory.</summary>
    public static TestTable Of(CsvTable table) => new(table.FilePath, table, null);

    /// <summary>Takes a file, which is read when its rows are asked for.</summary>
    public static TestTable Of(CsvSource source) => new(source.Name, null, source);

    public static implicit operator TestTable(CsvTable table) => Of(table);

    /// <summary>Reads all rows as features and targets.</summary>
    /// <param name="schema">What the columns mean.</param>
    /// <param name="memory">How much memory their features may take at most, in bytes; null = half of what is free.</param>
    /// <param name="look">Looks at each block before.</param>
    /// <exception cref="TableException">A column is missing, or a cell cannot be used; the message names file, line and column.</exception>
    public TrainingData Read(TableSchema schema, long? memory, Action<CsvTable> look)
    {
        _readings = schema.Readings();
        _unknown.Clear();
        var rows = schema.ToRows(
            Blocks(_readings).Select(block =>
            {
                look(block);
                return block;
            }),
            Whole?.RowCount,
            Math.Min(FeatureMemory, memory ?? RowFile.DefaultBudget),
            unknown => _unknown[unknown.Column] = _unknown.TryGetValue(unknown.Column, out var known) ? known.Add(unknown) : unknown);
        _rows = rows.Count;
        _classes.Clear();
        for (var row = 0; row < rows.Count && schema.Label.Task.HasClasses; row++)
        {
            var target = rows.Target(row);
            _classes.Add(target.Length == 1 ? (int)target[0] : target.IndexOf(1f));
        }

        return rows;
    }

    /// <summary>The first rows, at most a block of them.</summary>
    public CsvTable First() => Whole ?? Blocks(_readings).First();

    /// <summary>All rows again, some at a time; each table is good until the next one.</summary>
    public IEnumerable<CsvTable> Parts() => Whole is { } whole && whole.RowCount > PartRows
        ? Enumerable.Range(0, whole.RowCount).Chunk(PartRows).Select(rows => whole.Select(rows))
        : Blocks(_readings);

    /// <summary>Whether there is a column.</summary>
    public bool Has(string name) => Whole is { } whole ? whole.Find(name) is not null : _header.Contains(name);

    /// <summary>All texts of a column, each different one once, with its number for each row.</summary>
    /// <exception cref="TableException">There is no such column.</exception>
    public TableColumn Column(string name)
    {
        if (Whole is { } whole) return whole.Column(name);
        var (texts, codes, codeOf) = (new List<string>(), new List<int>(_rows), new Dictionary<string, int>());
        foreach (var block in Blocks(column => column == name ? CellReading.Text : CellReading.None))
        {
            var column = block.Column(name);
            var known = new int[column.Texts.Length];
            for (var code = 0; code < known.Length; code++)
            {
                if (codeOf.TryGetValue(column.Texts[code], out known[code])) continue;
                codeOf.Add(column.Texts[code], known[code] = texts.Count);
                texts.Add(column.Texts[code]);
            }

            foreach (var code in column.Codes) codes.Add(known[code]);
        }

        return new TableColumn(name, [.. texts], [.. codes]);
    }

    private IEnumerable<CsvTable> Blocks(Func<string, CellReading> readings)
    {
        if (Whole is not null)
        {
            yield return Whole;
            yield break;
        }

        using var reader = CsvTableReader.Open(_source!, readings);
        _header = reader.Header;
        foreach (var block in reader.ReadTables()) yield return block;
        Note = reader.Note;
    }
}

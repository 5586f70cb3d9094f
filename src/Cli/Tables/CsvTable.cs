using System.Text;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A CSV file with a header, in memory, column by column.</summary>
/// <remarks>
/// The separator is found from the first lines (comma, semicolon, tab or bar; a line <c>sep=;</c> decides). Fields may be quoted, with line
/// breaks and doubled quotes inside; white space around a field is dropped, inside quotes too. A line without anything is a row without a
/// value where there is one column, and no row where there are several; <see cref="Note"/> says so. The text is UTF-8 unless a byte order
/// mark says otherwise; what is not valid UTF-8 is read as Windows-1252, which spreadsheets still write.
/// </remarks>
internal sealed class CsvTable
{
    private readonly Dictionary<string, TableColumn> _byName;
    private readonly int[] _lines;
    private readonly int[]? _rows;
    private bool _isDerived;

    internal CsvTable(string filePath, IReadOnlyList<TableColumn> columns, int[] lines)
        : this(filePath, columns, lines, null)
    {
    }

    private CsvTable(string filePath, IReadOnlyList<TableColumn> columns, int[] lines, int[]? rows)
    {
        FilePath = filePath;
        Columns = columns;
        _lines = lines;
        _rows = rows;
        _byName = columns.ToDictionary(column => column.Name);
    }

    /// <summary>The file, as it was given to <see cref="Read"/>; messages name it.</summary>
    public string FilePath { get; }

    /// <summary>The columns in the order of the file.</summary>
    public IReadOnlyList<TableColumn> Columns { get; }

    /// <summary>The rows, without the header.</summary>
    public int RowCount => _rows?.Length ?? _lines.Length;

    /// <summary>What separates the fields of the file; it says a little about how its numbers are written.</summary>
    internal char Separator { get; init; } = ',';

    /// <summary>What whoever gave the file should know of how its lines became rows; null = nothing.</summary>
    public string? Note { get; init; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="texts">Columns of which the texts will be asked for: others that look like numbers would be read a second time.</param>
    /// <exception cref="TableException">
    /// The file cannot be read, is not text, has no rows, has a nameless or repeated column, or a row whose number of fields is not the
    /// header's.
    /// </exception>
    public static CsvTable Read(string path, params IReadOnlyCollection<string> texts)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return CsvTableLoader.Read(CsvSource.OfFile(path), texts);
    }

    /// <summary>Reads a table from CSV text that is already in memory.</summary>
    /// <param name="csv">The text, header included.</param>
    /// <param name="name">What messages call it in place of a file name.</param>
    /// <exception cref="TableException">As for <see cref="Read"/>.</exception>
    public static CsvTable Parse(string csv, string name = "table")
    {
        ArgumentNullException.ThrowIfNull(csv);
        return CsvTableLoader.Read(CsvSource.OfText(name, Encoding.UTF8.GetBytes(csv)), []);
    }

    /// <summary>The column of a name (exactly that, case included), or null.</summary>
    /// <param name="name">The name in the header.</param>
    public TableColumn? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The column of a name.</summary>
    /// <param name="name">The name in the header.</param>
    /// <exception cref="TableException">There is none; the message lists the columns there are.</exception>
    public TableColumn Column(string name) =>
        Find(name) ?? throw new TableException($"{FilePath}: there is no column {NameList.Quote(name)}; the columns are {ColumnNames}.");

    /// <summary>The line of the file on which a row starts, as an editor counts: from 1, the header and blank lines included.</summary>
    /// <param name="row">The row, from 0.</param>
    public int LineOf(int row) => _lines[_rows is null ? row : _rows[row]];

    /// <summary>A table with only some of the rows, in the given order; it shares the cells of this one.</summary>
    /// <param name="rows">The rows, from 0.</param>
    public CsvTable Select(ReadOnlySpan<int> rows)
    {
        if (_isDerived) throw new InvalidOperationException("Select rows first, and add columns to them.");
        int[] selected = [.. rows];
        if (_rows is not null)
            for (var i = 0; i < selected.Length; i++) selected[i] = _rows[selected[i]];
        return new(FilePath, [.. Columns.Select(column => column.Select(selected))], _lines, selected) { Separator = Separator };
    }

    /// <summary>The table with columns that were worked out of its own, a cell for each of its rows.</summary>
    /// <param name="columns">The columns; they stand in place of those that have their names.</param>
    internal CsvTable With(IReadOnlyCollection<TableColumn> columns)
    {
        if (columns.Count == 0) return this;
        var names = columns.Select(column => column.Name).ToHashSet();
        return WithOnly([.. Columns.Where(column => !names.Contains(column.Name)), .. columns]);
    }

    /// <summary>The rows with nothing but columns that were worked out of the table's own, a cell for each of its rows.</summary>
    /// <param name="columns">The columns.</param>
    internal CsvTable WithOnly(IReadOnlyList<TableColumn> columns) =>
        new(FilePath, columns, _lines, _rows) { Separator = Separator, _isDerived = true };

    /// <summary>The names of the columns for a message.</summary>
    internal string ColumnNames => NameList.Of(Columns.Select(column => column.Name));

    /// <summary>An error in one cell.</summary>
    internal TableException CellError(int row, string column, string problem) =>
        new($"{FilePath}, line {LineOf(row)}, column {NameList.Quote(column)}: {problem}");
}

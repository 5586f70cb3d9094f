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

    internal CsvTable(string filePath, IReadOnlyList<TableColumn> columns, int[] lines)
    {
        FilePath = filePath;
        Columns = columns;
        _lines = lines;
        _byName = columns.ToDictionary(column => column.Name);
    }

    /// <summary>The file, as it was given to <see cref="Read"/>; messages name it.</summary>
    public string FilePath { get; }

    /// <summary>The columns in the order of the file.</summary>
    public IReadOnlyList<TableColumn> Columns { get; }

    /// <summary>The rows, without the header.</summary>
    public int RowCount => _lines.Length;

    /// <summary>What separates the fields of the file; it says a little about how its numbers are written.</summary>
    internal char Separator { get; init; } = ',';

    /// <summary>What whoever gave the file should know of how its lines became rows; null = nothing.</summary>
    public string? Note { get; init; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TableException">
    /// The file cannot be read, is not text, has no rows, has a nameless or repeated column, or a row whose number of fields is not the
    /// header's.
    /// </exception>
    public static CsvTable Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] content;
        try
        {
            content = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TableException($"{path}: there is no such file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var reason = Directory.Exists(path) ? "this is a folder, not a file." : e.Message;
            throw new TableException($"{path}: cannot be read: {reason}", e);
        }

        return CsvTableReader.Read(path, content);
    }

    /// <summary>Reads a table from CSV text that is already in memory.</summary>
    /// <param name="csv">The text, header included.</param>
    /// <param name="name">What messages call it in place of a file name.</param>
    /// <exception cref="TableException">As for <see cref="Read"/>.</exception>
    public static CsvTable Parse(string csv, string name = "table")
    {
        ArgumentNullException.ThrowIfNull(csv);
        return CsvTableReader.Read(name, Encoding.UTF8.GetBytes(csv));
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
    public int LineOf(int row) => _lines[row];

    /// <summary>A table with only some of the rows, in the given order; it shares the texts of this one.</summary>
    /// <param name="rows">The rows, from 0.</param>
    public CsvTable Select(ReadOnlySpan<int> rows)
    {
        var columns = new TableColumn[Columns.Count];
        for (var i = 0; i < columns.Length; i++)
            columns[i] = Columns[i].Select(rows);
        var lines = new int[rows.Length];
        for (var i = 0; i < lines.Length; i++)
            lines[i] = _lines[rows[i]];
        return new(FilePath, columns, lines) { Separator = Separator };
    }

    /// <summary>The names of the columns for a message.</summary>
    internal string ColumnNames => NameList.Of(Columns.Select(column => column.Name));

    /// <summary>An error in one cell.</summary>
    internal TableException CellError(int row, string column, string problem) =>
        new($"{FilePath}, line {LineOf(row)}, column {NameList.Quote(column)}: {problem}");
}

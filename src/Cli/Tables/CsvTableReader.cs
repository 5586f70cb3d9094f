using CsvHelper;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>As what the cells of a column are read.</summary>
internal enum CellReading
{
    /// <summary>Not at all, until someone asks for their texts.</summary>
    None,

    /// <summary>As texts.</summary>
    Text,

    /// <summary>As numbers with a decimal point, as programs write them; as texts where one is none.</summary>
    Point,

    /// <summary>As numbers with a decimal comma; as texts where one is none.</summary>
    Comma,
}

/// <summary>
/// Goes once through the bytes of a CSV file, in blocks of rows and on all cores, and says where they are not a table. What its fields are
/// made of is CsvHelper's work.
/// </summary>
/// <remarks>
/// Numbers are read where they stand, and their texts are not kept: a column is taken for numbers by its first rows, and read again where a
/// later one is none.
/// </remarks>
internal sealed class CsvTableReader : IDisposable
{
    /// <summary>Of so many first rows the numbers of many digits are kept with all of them.</summary>
    public const int ExactRows = 1 << 14;

    // Of less, one core has made a table before others have begun.
    private const int LittleText = 1 << 20;

    private const int CellsOfBlock = 1 << 20;
    private const int TextsOfPool = 1 << 16;
    private const int BytesOfPool = 1 << 22;

    private readonly CsvSource _source;
    private readonly CsvReader _reader;
    private readonly CellReading _otherwise;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, RowBlock> _blocks = [];
    private readonly Stack<RowBlock> _free = new();
    private readonly List<int> _blank = [];
    private readonly ThreadLocal<Worker> _worker;
    private readonly int _rowsOfBlock;
    private Worker[] _workers = [];
    private CellReading[] _readings;
    private long _rowsBefore;
    private int _lastLine;

    /// <param name="source">The bytes of the table.</param>
    /// <param name="readingOf">How a column is read, by its number and name.</param>
    /// <param name="otherwise">How a column of numbers is read on from the block behind the one in which a cell is none.</param>
    public CsvTableReader(CsvSource source, Func<int, string, CellReading> readingOf, CellReading otherwise)
    {
        _source = source;
        _otherwise = otherwise;
        _reader = CsvReader.Create(source.Open(), new CsvReaderOptions
        {
            HasHeader = false, // Taken as the first record, so that duplicates and empty names can be told by position.
            SkipEmptyLines = false, // In a table of one column they are rows.
            TrackLineNumbers = true,
            TrimWhitespace = true,
            TrimInsideQuotes = true,
            Encoding = source.Encoding,
            OnMalformedRecord = RejectMalformed,
            BufferSize = (int)Math.Clamp(source.Length, 1 << 12, 1 << 18),
        });
        try
        {
            Header = ReadHeader();
        }
        catch
        {
            _reader.Dispose();
            throw;
        }

        _readings = [.. Header.Select((name, column) => readingOf(column, name))];
        _rowsOfBlock = Math.Clamp(CellsOfBlock / Header.Length, 16, ExactRows);
        _worker = new ThreadLocal<Worker>(() =>
        {
            var worker = new Worker(Header.Length);
            lock (_lock) _workers = [.. _workers, worker];
            return worker;
        });
    }

    /// <summary>The names of the columns.</summary>
    public string[] Header { get; }

    /// <summary>What separates fields.</summary>
    public char Separator => _reader.Separator;

    /// <summary>The fields themselves, of the record behind the header at first.</summary>
    public CsvReader Records => _reader;

    /// <summary>The texts of one column.</summary>
    /// <param name="source">The table.</param>
    /// <param name="column">The column.</param>
    /// <param name="first">The first row.</param>
    /// <param name="count">How many rows.</param>
    public static TextCells ReadTexts(CsvSource source, int column, int first, int count)
    {
        using var reader = new CsvTableReader(source, (i, _) => i == column ? CellReading.Text : CellReading.None, CellReading.Text);
        var (texts, row) = (new TextCells.Builder(), 0);
        foreach (var block in reader.ReadBlocks())
        {
            var start = Math.Max(0, first - row);
            block.AddTo(texts, column, start, Math.Min(block.Count, first + count - row) - start);
            row += block.Count;
            if (row >= first + count) break;
        }

        return texts.Build();
    }

    /// <summary>Opens a table to go through its rows once.</summary>
    /// <param name="source">Its bytes.</param>
    /// <param name="readingOf">How each column is read.</param>
    public static CsvTableReader Open(CsvSource source, Func<string, CellReading> readingOf)
    {
        source.Check();
        return new CsvTableReader(source, (_, name) => readingOf(name), CellReading.Text);
    }

    /// <summary>What is to be said of lines that are empty, after reading; null = nothing.</summary>
    public string? Note
    {
        get
        {
            // At the end of a table of several columns they are no more than line ends.
            if (Header.Length > 1) _blank.RemoveAll(line => line > _lastLine);
            if (_blank.Count == 0) return _source.Note;
            var lines = _blank.Count == 1
                ? $"line {_blank[0]} is empty"
                : $"{_blank.Count} lines are empty, the first is line {_blank[0]}";
            var said = _source.Note is null ? string.Empty : $"{_source.Note} ";
            return Header.Length > 1
                ? $"{said}{_source.Name}: {lines}; in a table of {Header.Length} columns an empty line is no row."
                : $"{said}{_source.Name}: {lines}; in a table of one column an empty line is a row without a value.";
        }
    }

    /// <summary>The rows in tables, each of which is good until the next one.</summary>
    public IEnumerable<CsvTable> ReadTables()
    {
        var first = 0;
        foreach (var block in ReadBlocks())
        {
            var (start, count) = (first, block.Count);
            var columns = new TableColumn[Header.Length];
            for (var i = 0; i < columns.Length; i++) columns[i] = new TableColumn(Header[i], CellsOf(block, i, start));
            yield return new CsvTable(_source.Name, columns, block.Lines[..count]) { Separator = Separator };
            first += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _reader.Dispose();
        _worker.Dispose();
    }

    private void RejectMalformed(CsvMalformedRecord record)
    {
        // A quote inside an unquoted field (5" pipe) can only mean itself; the others swallow or join fields without a word.
        var problem = record.Reason switch
        {
            CsvMalformedReason.UnterminatedQuote => "a quoted field that starts here is never closed; add the closing quote.",
            CsvMalformedReason.TextAfterClosingQuote =>
                "there is text after a closing quote; a quote inside a quoted field must be doubled (\"\").",
            _ => null,
        };
        if (problem is not null)
            throw new TableException($"{_source.Name}, line {record.LineNumber + _source.SkippedLines}: {problem}");
    }

    private string[] ReadHeader()
    {
        var path = _source.Name;
        do
        {
            if (!_reader.Read()) // Nothing but white space, a byte order mark or a line sep=;
                throw new TableException($"{path}: the file is empty; it needs a header line with the names of the columns, and rows.");
        }
        while (IsBlank(_reader));

        _rowsBefore = _reader.RowNumber;
        var header = new string[_reader.FieldCount];
        var seen = new Dictionary<string, int>();
        for (var i = 0; i < header.Length; i++)
        {
            var name = header[i] = _reader.GetString(i).Trim();
            if (name.Length == 0)
                throw new TableException($"{path}: column {i + 1} has no name in the header; name it or remove it.");
            if (!seen.TryAdd(name, i))
            {
                throw new TableException(
                    $"{path}: columns {seen[name] + 1} and {i + 1} are both named {NameList.Quote(name)}; rename one of them.");
            }
        }

        return header;
    }

    /// <summary>Goes to the next row, whose fields <see cref="Records"/> has then.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="TableException">A row has not as many fields as the header.</exception>
    public bool ReadRecord()
    {
        while (_reader.Read())
        {
            if (IsBlank(_reader) && Header.Length > 1) continue;
            RequireFields(_reader, checked((int)_reader.LineNumber + _source.SkippedLines));
            return true;
        }

        return false;
    }

    /// <summary>Whether a record is nothing but white space: quotes and separators make fields.</summary>
    public static bool IsBlank(CsvReader record) => record.FieldCount == 1 && record.RawRecord.Trim(" \t"u8).IsEmpty;

    /// <summary>The rows in blocks, each of which is good until the next one.</summary>
    public IEnumerable<RowBlock> ReadBlocks()
    {
        var lines = _source.Length < LittleText ? ReadInTurn() : _reader.ParallelEnumerate(Take, Environment.ProcessorCount);
        var (index, place, rows) = (0L, 0, 0L);
        foreach (var line in lines)
        {
            var block = BlockAt(index);
            block.Lines[place++] = line;
            if (place < _rowsOfBlock) continue;
            Finish(block, place);
            rows += block.Count;
            if (block.Count > 0) yield return block;
            Recycle(index++);
            place = 0;
        }

        if (place > 0)
        {
            var block = BlockAt(index);
            Finish(block, place);
            rows += block.Count;
            if (block.Count > 0) yield return block;
        }

        if (rows == 0) throw new TableException($"{_source.Name}: there is a header but no rows.");
    }

    private IEnumerable<int> ReadInTurn()
    {
        while (_reader.Read()) yield return Take(_reader);
    }

    /// <summary>Reads the row on which a reader stands, of which there is one on each core.</summary>
    /// <returns>Its line; with a minus where it has nothing.</returns>
    private int Take(CsvReader record)
    {
        var line = checked((int)record.LineNumber + _source.SkippedLines);
        var isBlank = IsBlank(record);
        if (isBlank && Header.Length > 1) return -line;
        RequireFields(record, line);
        var worker = _worker.Value!;
        var row = record.RowNumber - _rowsBefore - 1;
        var (index, place) = ((long)((ulong)row / (uint)_rowsOfBlock), (int)((ulong)row % (uint)_rowsOfBlock));
        if (worker.Block is not { } block || worker.Index != index)
        {
            block = BlockAt(index);
            (worker.Block, worker.Index) = (block, index);
        }

        var (readings, keepDigits) = (block.Readings, _otherwise == CellReading.None && row < ExactRows);
        for (var i = 0; i < readings.Length; i++)
        {
            switch (readings[i])
            {
                case CellReading.None:
                    break;
                case CellReading.Text:
                    block.Texts[i]![place] = AddText(worker, block, i, record.GetSpan(i));
                    break;
                default:
                    var mark = readings[i] == CellReading.Point ? '.' : ',';
                    ref var number = ref block.Numbers[i]![place];
                    if (!worker.Traits[i].TryRead(record.GetSpan(i), mark, row, keepDigits, out number)) Break(block, i);
                    break;
            }
        }

        return isBlank ? -line : line;
    }

    private void RequireFields(CsvReader record, int line)
    {
        if (record.FieldCount != Header.Length)
            throw new TableException(
                $"{_source.Name}, line {line}: {Fields(record.FieldCount)} where the header has {Header.Length}; " +
                "fix the row, or put quotes around fields that contain the separator.");
    }

    private static string Fields(int count) => count == 1 ? "1 field" : $"{count} fields";

    private static long AddText(Worker worker, RowBlock block, int column, ReadOnlySpan<byte> text)
    {
        ref var pool = ref worker.Pools[column];
        if (pool.Texts is null || pool.Texts.Count >= TextsOfPool || pool.Texts.Size >= BytesOfPool) pool = (-1, 0, new TextPool());
        if (pool.Block != worker.Index) pool = (worker.Index, block.Add(pool.Texts), pool.Texts);
        return ((long)pool.Number << 32) | (uint)pool.Texts.Add(text);
    }

    // From the next block on it is no column of numbers.
    private void Break(RowBlock block, int column)
    {
        if (block.IsBroken[column]) return;
        lock (_lock)
        {
            block.IsBroken[column] = true;
            if (_readings[column] == _otherwise) return;
            _readings = [.. _readings];
            _readings[column] = _otherwise;
        }
    }

    private RowBlock BlockAt(long index)
    {
        lock (_lock)
        {
            if (_blocks.TryGetValue(index, out var block)) return block;
            if (!_free.TryPop(out block)) block = new RowBlock(Header.Length, _rowsOfBlock);
            block.Begin(_readings);
            _blocks.Add(index, block);
            return block;
        }
    }

    private void Recycle(long index)
    {
        lock (_lock)
        {
            _blocks.Remove(index, out var block);
            _free.Push(block!);
        }
    }

    // Takes out the lines that are no rows.
    private void Finish(RowBlock block, int count)
    {
        block.Count = count;
        var lines = block.Lines;
        if (lines.AsSpan(0, count).IndexOfAnyInRange(int.MinValue, 0) < 0)
        {
            _lastLine = lines[count - 1];
            return;
        }

        var kept = new List<int>();
        for (var i = 0; i < count; i++)
        {
            if (lines[i] < 0) _blank.Add(lines[i] = -lines[i]);
            else kept.Add(i);
        }

        if (Header.Length == 1) return;
        block.Keep(kept);
        if (kept.Count > 0) _lastLine = lines[kept.Count - 1];
    }

    /// <summary>What was seen of the numbers of a column, after reading.</summary>
    public NumberTraits TraitsOf(int column)
    {
        var traits = default(NumberTraits);
        foreach (var worker in _workers) traits.Add(worker.Traits[column]);
        return traits;
    }

    /// <summary>The most decimals that a number of a column had so far.</summary>
    public int DecimalsOf(int column) => _workers.Max(worker => worker.Traits[column].Decimals);

    private ColumnCells CellsOf(RowBlock block, int column, int first)
    {
        var count = block.Count;
        if (block.Readings[column] == CellReading.Text)
        {
            var texts = new TextCells.Builder();
            block.AddTo(texts, column, 0, count);
            var built = texts.Build();
            return new ColumnCells(count, null, () => built);
        }

        var numbers = block.Numbers[column] is { } read && !block.IsBroken[column] ? NumberCells.Of(read, count, TraitsOf(column)) : null;
        return new ColumnCells(count, numbers, () => ReadTexts(_source, column, first, count));
    }

    /// <summary>What a core reads with.</summary>
    private sealed class Worker(int columns)
    {
        public readonly NumberTraits[] Traits = new NumberTraits[columns];

        public readonly (long Block, int Number, TextPool Texts)[] Pools = new (long, int, TextPool)[columns];

        public RowBlock? Block { get; set; }

        public long Index { get; set; }
    }
}

using System.Text;
using System.Text.Unicode;
using CsvHelper;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Reads the bytes of a CSV file into columns, and says where they are not a table.</summary>
internal sealed class CsvTableReader
{
    private readonly string _path;
    private readonly CsvReader _reader;
    private readonly List<int> _lines = [];
    private char[] _field = new char[256];

    private CsvTableReader(string path, CsvReader reader)
    {
        _path = path;
        _reader = reader;
    }

    /// <summary>Reads a table.</summary>
    public static CsvTable Read(string path, byte[] content)
    {
        if (content.AsSpan().TrimStart(" \t\r\n"u8).IsEmpty)
            throw Empty(path);

        using var reader = CsvReader.Create(content, new CsvReaderOptions
        {
            HasHeader = false, // Taken as the first record, so that duplicates and empty names can be told by position.
            SkipEmptyLines = false, // In a table of one column they are rows.
            TrackLineNumbers = true,
            TrimWhitespace = true,
            TrimInsideQuotes = true,
            Encoding = EncodingOf(path, content),
            OnMalformedRecord = record => RejectMalformed(path, record),
        });
        return new CsvTableReader(path, reader).ReadTable();
    }

    /// <summary>Null where the reader finds out by itself (UTF-8, and all that a byte order mark announces).</summary>
    private static Encoding? EncodingOf(string path, byte[] content)
    {
        if (content is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [0, 0, 0xFE, 0xFF, ..])
            return null;
        var nul = Array.IndexOf(content, (byte)0);
        if (nul >= 0)
            throw new TableException($"{path}: this is not a text file (byte {nul} is zero); save the table as CSV in UTF-8.");
        return Utf8.IsValid(content) ? null : CodePagesEncodingProvider.Instance.GetEncoding(1252);
    }

    private static void RejectMalformed(string path, CsvMalformedRecord record)
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
            throw new TableException($"{path}, line {record.LineNumber}: {problem}");
    }

    private CsvTable ReadTable()
    {
        var header = ReadHeader();
        var builders = Array.ConvertAll(header, _ => new ColumnBuilder());
        var blank = new List<int>();
        while (_reader.Read())
        {
            var line = checked((int)_reader.LineNumber);
            if (IsBlank())
            {
                blank.Add(line);
                if (header.Length > 1)
                    continue;
            }

            if (_reader.FieldCount != header.Length)
            {
                throw new TableException(
                    $"{_path}, line {line}: {Fields(_reader.FieldCount)} where the header has {header.Length}; " +
                    "fix the row, or put quotes around fields that contain the separator.");
            }

            _lines.Add(line);
            for (var i = 0; i < builders.Length; i++)
                builders[i].Add(Decode(_reader.GetSpan(i)));
        }

        if (_lines.Count == 0)
            throw new TableException($"{_path}: there is a header but no rows.");
        var columns = new TableColumn[header.Length];
        for (var i = 0; i < columns.Length; i++)
            columns[i] = builders[i].Build(header[i]);
        return new(_path, columns, [.. _lines]) { Separator = _reader.Separator, Note = Describe(blank, header) };
    }

    // Nothing but white space: quotes and separators make fields.
    private bool IsBlank() => _reader.FieldCount == 1 && _reader.RawRecord.Trim(" \t"u8).IsEmpty;

    private string? Describe(List<int> blank, string[] header)
    {
        // At the end of a table of several columns they are no more than line ends.
        if (header.Length > 1 && _lines.Count > 0)
            blank.RemoveAll(line => line > _lines[^1]);
        if (blank.Count == 0)
            return null;
        var lines = blank.Count == 1 ? $"line {blank[0]} is empty" : $"{blank.Count} lines are empty, the first is line {blank[0]}";
        return header.Length > 1
            ? $"{_path}: {lines}; in a table of {header.Length} columns an empty line is no row."
            : $"{_path}: {lines}; in a table of one column an empty line is a row without a value.";
    }

    private string[] ReadHeader()
    {
        do
        {
            if (!_reader.Read()) // Nothing but a byte order mark or a line sep=;
                throw Empty(_path);
        }
        while (IsBlank());

        var header = new string[_reader.FieldCount];
        var seen = new Dictionary<string, int>();
        for (var i = 0; i < header.Length; i++)
        {
            var name = header[i] = _reader.GetString(i).Trim();
            if (name.Length == 0)
                throw new TableException($"{_path}: column {i + 1} has no name in the header; name it or remove it.");
            if (!seen.TryAdd(name, i))
            {
                throw new TableException(
                    $"{_path}: columns {seen[name] + 1} and {i + 1} are both named {NameList.Quote(name)}; rename one of them.");
            }
        }

        return header;
    }

    private ReadOnlySpan<char> Decode(ReadOnlySpan<byte> utf8)
    {
        if (_field.Length < utf8.Length) // UTF-8 never has fewer bytes than UTF-16 has characters.
            _field = new char[utf8.Length * 2];
        return _field.AsSpan(0, Encoding.UTF8.GetChars(utf8, _field));
    }

    private static TableException Empty(string path) =>
        new($"{path}: the file is empty; it needs a header line with the names of the columns, and rows.");

    private static string Fields(int count) => count == 1 ? "1 field" : $"{count} fields";

    /// <summary>Collects a column: each different text once.</summary>
    private sealed class ColumnBuilder
    {
        private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _codeOf =
            new Dictionary<string, int>().GetAlternateLookup<ReadOnlySpan<char>>();

        private readonly List<string> _texts = [];
        private readonly List<int> _codes = [];

        public void Add(ReadOnlySpan<char> text)
        {
            if (!_codeOf.TryGetValue(text, out var code))
            {
                code = _texts.Count;
                var kept = text.ToString();
                _texts.Add(kept);
                _codeOf.Dictionary.Add(kept, code);
            }

            _codes.Add(code);
        }

        public TableColumn Build(string name) => new(name, [.. _texts], [.. _codes]);
    }
}

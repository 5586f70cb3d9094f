using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The start of a row.</summary>
/// <param name="Offset">Its first byte in the file.</param>
/// <param name="Row">Its number, from 0.</param>
/// <param name="Line">Its line, from 1.</param>
internal readonly record struct TableMark(long Offset, long Row, int Line);

/// <summary>
/// Where the rows of a CSV file begin, at some places: with that, a part of them can be read without the others. Only one who has gone
/// through all that comes before knows where a row begins, since quoted fields may hold line breaks.
/// </summary>
/// <param name="Marks">Starts of rows, ascending; the first row's is the first.</param>
/// <param name="Rows">How many rows there are.</param>
/// <param name="Length">The bytes of the file.</param>
internal sealed record TableMarks(IReadOnlyList<TableMark> Marks, long Rows, long Length)
{
    // Shares that are even to a thousandth are even enough.
    private const int MostMarks = 1 << 14;

    /// <summary>Goes through a file.</summary>
    /// <param name="source">The file, in UTF-8.</param>
    /// <param name="rowsOfPart">The rows between two marks; null = as many as are needed for shares.</param>
    /// <param name="visit">Sees each row, with its number.</param>
    /// <exception cref="TableException">It is no table, has no rows, or is not in UTF-8.</exception>
    public static TableMarks Find(CsvSource source, long? rowsOfPart = null, Action<CsvTableReader, long>? visit = null)
    {
        var (marks, every, row) = (new List<TableMark>(), rowsOfPart ?? 1, 0L);
        try
        {
            source.Check();
            if (source.Encoding is not null) throw new NotUtf8Exception();
            using var reader = new CsvTableReader(source, (_, _) => CellReading.None, CellReading.None);
            if (IsUtf16(source)) throw new NotUtf8Exception();
            while (reader.Records.Read())
            {
                if (reader.Header.Length > 1 && CsvTableReader.IsBlank(reader.Records)) continue;
                if (row % every == 0)
                    marks.Add(new TableMark(reader.Records.ByteOffset, row, checked((int)reader.Records.LineNumber)));
                if (rowsOfPart is null && marks.Count > MostMarks)
                {
                    every *= 2;
                    marks.RemoveAll(mark => mark.Row % every != 0);
                }

                visit?.Invoke(reader, row);
                row++;
            }
        }
        catch (NotUtf8Exception)
        {
            throw new TableException(
                $"{source.Name}: parts of a table are read from a file in UTF-8, which this one is not; save it in UTF-8, or read it as a "
                + "whole, with one process.");
        }

        return row > 0
            ? new TableMarks(marks, row, source.Length)
            : throw new TableException($"{source.Name}: there is a header but no rows.");
    }

    /// <summary>The rows between two marks, as a table.</summary>
    /// <param name="source">The file.</param>
    /// <param name="first">The mark at which they begin.</param>
    /// <param name="next">The mark at which others begin; as many as there are = the end of the file.</param>
    public CsvSource Part(CsvSource source, int first, int next) => source.Part(
        Marks[0].Offset,
        Marks[first].Offset,
        next == Marks.Count ? Length : Marks[next].Offset,
        Marks[first].Line - Marks[0].Line);

    /// <summary>What stands in front of the first row.</summary>
    public byte[] ReadHeader(CsvSource source)
    {
        using var stream = source.Part(Marks[0].Offset, Marks[0].Offset, Marks[0].Offset, 0).Open();
        var header = new byte[Marks[0].Offset];
        stream.ReadExactly(header);
        return header;
    }

    /// <summary>The marks between which a rank's share lies: all shares have as many rows, nearly.</summary>
    public (int First, int Next) Share(int rank, int size) => (MarkFor(rank, size), MarkFor(rank + 1, size));

    /// <summary>The same as JSON, for others who read the file.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this);

    /// <summary>What <see cref="ToJson"/> wrote.</summary>
    public static TableMarks FromJson(byte[] json) => JsonSerializer.Deserialize<TableMarks>(json)!;

    private static bool IsUtf16(CsvSource source)
    {
        using var start = source.Open();
        Span<byte> mark = stackalloc byte[2];
        return start.Read(mark) == 2 && mark is [0xFF, 0xFE] or [0xFE, 0xFF];
    }

    // The first one at or behind where the share begins.
    private int MarkFor(int rank, int size)
    {
        var row = Rows * rank / size;
        var mark = 0;
        while (mark < Marks.Count && Marks[mark].Row < row) mark++;
        return mark;
    }
}

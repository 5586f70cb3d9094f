using CsvHelper;
using Microsoft.Win32.SafeHandles;
using Parquet;
using Parquet.Schema;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Files of Parquet (Parquet.Net) as tables. Columns of lists, maps and structures are left out, and a note says so.</summary>
internal static class ParquetTable
{
    /// <summary>Whether a file begins as such files do.</summary>
    public static bool IsParquet(SafeFileHandle file)
    {
        Span<byte> start = stackalloc byte[4];
        return RandomAccess.Read(file, start, 0) == start.Length && start.SequenceEqual("PAR1"u8);
    }

    /// <summary>Reads a file; values become the texts that a table has for them.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="file">The file.</param>
    /// <exception cref="TableException">It is damaged, or has values that no cell can hold.</exception>
    public static CsvSource Open(string name, SafeFileHandle file)
    {
        try
        {
            using var stream = new FileStream(file, FileAccess.Read);
            return ReadAsync(name, stream).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (TableException or OutOfMemoryException))
        {
            // Whatever the library meets in a file that is cut off or damaged.
            throw new TableException($"{name}: begins as Parquet does and cannot be read: {e.Message}", e);
        }
    }

    private static async Task<CsvSource> ReadAsync(string name, Stream stream)
    {
        await using var reader = await ParquetReader.CreateAsync(stream);
        DataField[] fields = [.. reader.Schema.Fields.OfType<DataField>().Where(field => !field.IsArray)];
        string[] nested = [.. reader.Schema.Fields.Except(fields).Select(field => field.Name)];
        if (fields.Length == 0) throw new TableException($"{name}: there are no columns of single values in it.");
        var note = nested.Length == 0 ? null
            : $"{name}: {NameList.Of(nested)} left out: of lists, maps or structures, which are no cells of a table.";
        return CsvSource.OfRows(name, csv => WriteAsync(name, reader, fields, csv).GetAwaiter().GetResult(), note: note);
    }

    private static async Task WriteAsync(string name, ParquetReader reader, DataField[] fields, CsvWriter csv)
    {
        csv.WriteHeader([.. fields.Select(field => field.Name)]);
        var columns = new Func<int, string?>[fields.Length];
        for (var group = 0; group < reader.RowGroupCount; group++)
        {
            using var rows = reader.OpenRowGroupReader(group);
            var count = checked((int)rows.RowCount);
            for (var i = 0; i < fields.Length; i++) columns[i] = await ReadAsync(name, rows, fields[i], count);
            for (var row = 0; row < count; row++)
            {
                foreach (var column in columns) csv.WriteField(column(row) ?? string.Empty);
                csv.EndRecord();
            }
        }
    }

    private static async Task<Func<int, string?>> ReadAsync(string name, ParquetRowGroupReader rows, DataField field, int count)
    {
        if (field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>))
        {
            var texts = new string?[count];
            await rows.ReadAsync(field, texts.AsMemory()!);
            return row => texts[row];
        }

        return field.ClrType switch
        {
            var type when type == typeof(bool) => await Of<bool>(),
            var type when type == typeof(sbyte) => await Of<sbyte>(),
            var type when type == typeof(byte) => await Of<byte>(),
            var type when type == typeof(short) => await Of<short>(),
            var type when type == typeof(ushort) => await Of<ushort>(),
            var type when type == typeof(int) => await Of<int>(),
            var type when type == typeof(uint) => await Of<uint>(),
            var type when type == typeof(long) => await Of<long>(),
            var type when type == typeof(ulong) => await Of<ulong>(),
            var type when type == typeof(float) => await Of<float>(),
            var type when type == typeof(double) => await Of<double>(),
            var type when type == typeof(decimal) => await Of<decimal>(),
            var type when type == typeof(DateTime) => await Of<DateTime>(),
            var type when type == typeof(DateOnly) => await Of<DateOnly>(),
            var type when type == typeof(TimeOnly) => await Of<TimeOnly>(),
            var type when type == typeof(TimeSpan) => await Of<TimeSpan>(),
            var type when type == typeof(Guid) => await Of<Guid>(),
            var type => throw new TableException(
                $"{name}, column {NameList.Quote(field.Name)}: values of type {type.Name} are no text, number, date or truth value; leave "
                + "the column out of the file, or convert it."),
        };

        async Task<Func<int, string?>> Of<T>()
            where T : struct
        {
            if (field.IsNullable)
            {
                var values = new T?[count];
                await rows.ReadAsync(field, values.AsMemory());
                return row => TypedCell.Text(values[row], () => Place(row));
            }
            else
            {
                var values = new T[count];
                await rows.ReadAsync(field, values.AsMemory());
                return row => TypedCell.Text(values[row], () => Place(row));
            }
        }

        string Place(int row) => $"{name}, row {row + 1}, column {NameList.Quote(field.Name)}";
    }
}

/// <summary>Predictions as a file of Parquet: texts and numbers that may lack, in groups of rows.</summary>
internal sealed class ParquetPredictionWriter : PredictionWriter
{
    // Parquet's readers take groups of about so many rows at a time.
    private const int RowsOfGroup = 1 << 17;

    private readonly Stream _stream;
    private readonly string[] _names;
    private readonly List<object?>[] _columns;
    private readonly Type?[] _types;
    private ParquetWriter? _writer;
    private DataField[] _fields = [];
    private int _field;
    private int _rows;

    /// <param name="stream">Where to; it is left open.</param>
    /// <param name="columns">The names of the columns.</param>
    public ParquetPredictionWriter(Stream stream, IReadOnlyList<string> columns)
    {
        (_stream, _names) = (stream, [.. columns]);
        _columns = [.. columns.Select(_ => new List<object?>())];
        _types = new Type?[columns.Count];
    }

    /// <inheritdoc/>
    public override void Write(string? text) => Add(text, typeof(string));

    /// <inheritdoc/>
    public override void Write(float number) => Add(number, typeof(float));

    /// <inheritdoc/>
    public override void Write(double number) => Add(number, typeof(double));

    /// <inheritdoc/>
    public override void Write(decimal number) => Add((double)number, typeof(double));

    /// <inheritdoc/>
    public override void EndRow()
    {
        _field = 0;
        if (++_rows == RowsOfGroup) FlushAsync().GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        // A row that was begun is one that failed, and so is the file.
        if (_field == 0 && (_rows > 0 || _writer is null)) FlushAsync().GetAwaiter().GetResult();
        _writer?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private void Add(object? value, Type type)
    {
        _types[_field] ??= type;
        _columns[_field++].Add(value);
    }

    private async Task FlushAsync()
    {
        if (_writer is null)
        {
            _fields = [.. _names.Select((name, i) => new DataField(name, _types[i] ?? typeof(string), isNullable: true))];
            _writer = await ParquetWriter.CreateAsync(new ParquetSchema(_fields), _stream);
        }

        using var group = _writer.CreateRowGroup();
        for (var i = 0; i < _fields.Length; i++)
        {
            var (field, values) = (_fields[i], _columns[i]);
            if (_types[i] == typeof(float))
                await group.WriteAsync<float>(field, values.Select(value => (float?)value).ToArray().AsMemory());
            else if (_types[i] == typeof(double))
                await group.WriteAsync<double>(field, values.Select(value => (double?)value).ToArray().AsMemory());
            else await group.WriteAsync(field, values.Select(value => (string?)value).ToArray()!);
            values.Clear();
        }

        group.CompleteValidate();
        _rows = 0;
    }
}

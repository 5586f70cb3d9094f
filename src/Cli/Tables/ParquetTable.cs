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

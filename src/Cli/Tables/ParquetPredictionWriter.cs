using Parquet;
using Parquet.Schema;

namespace MlNetBatchNorm.Cli.Tables;

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

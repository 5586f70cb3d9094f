using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsvHelper;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Writes a line for each row, field by field, in the order of its columns.</summary>
internal abstract class PredictionWriter : IDisposable
{
    /// <summary>Whether a file's name says that it is one of Parquet.</summary>
    public static bool IsParquet(string path) => Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase);

    /// <summary>As CSV, or as JSON lines where the name of the file ends in <c>.jsonl</c> or <c>.ndjson</c>.</summary>
    /// <param name="text">Where to; it is left open.</param>
    /// <param name="path">The name of the file.</param>
    /// <param name="columns">The names of the fields.</param>
    public static PredictionWriter Create(TextWriter text, string path, IReadOnlyList<string> columns) =>
        Path.GetExtension(path).ToUpperInvariant() is ".JSONL" or ".NDJSON"
            ? new JsonLinesWriter(text, columns)
            : new CsvLinesWriter(CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true), columns);

    /// <summary>Writes a field: a text; null = no value.</summary>
    public abstract void Write(string? text);

    /// <summary>Writes a field: a number.</summary>
    public abstract void Write(float number);

    /// <summary>Writes a field: a number in float64.</summary>
    public abstract void Write(double number);

    /// <summary>Writes a field: a number with all of its digits.</summary>
    public abstract void Write(decimal number);

    /// <summary>Ends the line.</summary>
    public abstract void EndRow();

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Lines of CSV below a header.</summary>
internal sealed class CsvLinesWriter : PredictionWriter
{
    private readonly CsvWriter _csv;

    /// <param name="csv">Where to; it is closed with this.</param>
    /// <param name="columns">The header.</param>
    public CsvLinesWriter(CsvWriter csv, IReadOnlyList<string> columns)
    {
        _csv = csv;
        foreach (var name in columns) csv.WriteField(name);
        csv.EndRecord();
    }

    /// <inheritdoc/>
    public override void Write(string? text) => _csv.WriteField(text ?? string.Empty);

    /// <inheritdoc/>
    public override void Write(float number) => _csv.WriteField(number);

    /// <inheritdoc/>
    public override void Write(double number) => _csv.WriteField(number);

    /// <inheritdoc/>
    public override void Write(decimal number) => _csv.WriteField(number);

    /// <inheritdoc/>
    public override void EndRow() => _csv.EndRecord();

    /// <inheritdoc/>
    public override void Dispose() => _csv.Dispose();
}

/// <summary>A JSON object for each row, on a line of its own. What is no finite number is null, as JSON has none.</summary>
internal sealed class JsonLinesWriter : PredictionWriter
{
    private readonly TextWriter _text;
    private readonly JsonEncodedText[] _names;
    private readonly MemoryStream _line = new();
    private readonly Utf8JsonWriter _json;
    private int _field;

    /// <param name="text">Where to; it is left open.</param>
    /// <param name="columns">The names of the fields.</param>
    public JsonLinesWriter(TextWriter text, IReadOnlyList<string> columns)
    {
        _text = text;

        // Names and texts stay readable: a line is read by programs, never put into a web page as it is.
        var encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        _names = [.. columns.Select(name => JsonEncodedText.Encode(name, encoder))];
        _json = new Utf8JsonWriter(_line, new JsonWriterOptions { Encoder = encoder });
    }

    /// <inheritdoc/>
    public override void Write(string? text)
    {
        if (text is null) Next().WriteNullValue();
        else Next().WriteStringValue(text);
    }

    /// <inheritdoc/>
    public override void Write(float number)
    {
        if (float.IsFinite(number)) Next().WriteNumberValue(number);
        else Next().WriteNullValue();
    }

    /// <inheritdoc/>
    public override void Write(double number)
    {
        if (double.IsFinite(number)) Next().WriteNumberValue(number);
        else Next().WriteNullValue();
    }

    /// <inheritdoc/>
    public override void Write(decimal number) => Next().WriteNumberValue(number);

    /// <inheritdoc/>
    public override void EndRow()
    {
        _json.WriteEndObject();
        _json.Flush();
        _text.Write(Encoding.UTF8.GetString(_line.GetBuffer(), 0, (int)_line.Length));
        _text.Write('\n');
        _line.SetLength(0);
        _json.Reset();
        _field = 0;
    }

    /// <inheritdoc/>
    public override void Dispose() => _json.Dispose();

    private Utf8JsonWriter Next()
    {
        if (_field == 0) _json.WriteStartObject();
        _json.WritePropertyName(_names[_field++]);
        return _json;
    }
}

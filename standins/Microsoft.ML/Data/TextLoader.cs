using System.Text;

namespace Microsoft.ML.Data;

/// <summary>Reads delimited text. Left out: sparse rows, columns of variable length, columns of "all others", a separate header file.</summary>
public sealed partial class TextLoader : IDataLoader<IMultiStreamSource>
{
    private readonly Options _options;
    private readonly ColumnReader[] _columns;
    private readonly DataViewSchema _schema;
    private readonly Action<string> _log;

    internal TextLoader(MLContext context, Options options, IMultiStreamSource dataSample)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Columns is not { Length: > 0 })
            throw new ArgumentException("The stand-in for ML.NET needs the columns of a text file named.", nameof(options));
        if (options.AllowSparse || options.HeaderFile is not null)
            throw new NotSupportedException("The stand-in for ML.NET reads neither sparse text nor separate header files.");
        _options = options;
        _log = message => context.Raise(nameof(TextLoader),
            new Runtime.ChannelMessage(Runtime.ChannelMessageKind.Info, Runtime.MessageSensitivity.Schema, message));
        var sample = dataSample is null ? [] : new LineReader(dataSample, options, keepHeader: true).Take(2).Select(Split).ToArray();
        var inputSize = options.InputSize ?? sample.LastOrDefault()?.Count ?? 0;
        _columns = options.Columns.Select(c => new ColumnReader(c, inputSize)).ToArray();
        var builder = new DataViewSchema.Builder();
        foreach (var column in _columns)
            builder.AddColumn(column.Name, column.Type, options.HasHeader && sample.Length > 0 ? column.SlotNames(sample[0]) : null);
        _schema = builder.ToSchema();
    }

    public DataViewSchema GetOutputSchema() => _schema;

    public IDataView Load(IMultiStreamSource source) => new TextDataView(this, source);

    void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException("The stand-in for ML.NET saves no loaders.");

    internal static TextLoader Create<TInput>(MLContext context, Options options, IMultiStreamSource dataSample)
    {
        options.Columns = Column.AllOf(typeof(TInput));
        return new TextLoader(context, options, dataSample);
    }

    private List<ReadOnlyMemory<char>> Split(string line)
    {
        var fields = new List<ReadOnlyMemory<char>>();
        Split(line, fields);
        return fields;
    }

    /// <summary>Splits a line into fields; an ill-quoted field is empty, as in the real one.</summary>
    private void Split(string text, List<ReadOnlyMemory<char>> fields)
    {
        fields.Clear();
        var line = text.AsMemory();
        if (_options.TrimWhitespace)
            line = line.TrimEnd();
        var skipSpaces = !_options.Separators.Contains(' ');
        bool more;
        do
        {
            if (skipSpaces)
                line = line.TrimStart(' ');
            var isQuoted = _options.AllowQuoting && line.Length > 0 && line.Span[0] == '"';
            var field = isQuoted ? UnquoteStart(ref line) : default;
            var end = line.Span.IndexOfAny(_options.Separators);
            more = end >= 0;
            var rest = more ? line[..end] : line;
            if (!isQuoted)
                field = rest;
            else if (!rest.Span.Trim(' ').IsEmpty)
                field = default;
            fields.Add(field);
            line = more ? line[(end + 1)..] : default;
        }
        while (more);
    }

    /// <summary>Takes the quoted text off the start of the line; empty where the closing quote is missing.</summary>
    private ReadOnlyMemory<char> UnquoteStart(ref ReadOnlyMemory<char> line)
    {
        var span = line.Span;
        var text = new StringBuilder();
        for (var i = 1; i < span.Length; i++)
        {
            var escapes = span[i] == _options.EscapeChar && i + 1 < span.Length && span[i + 1] == '"';
            if (!escapes && span[i] == '"')
            {
                line = line[(i + 1)..];
                return text.ToString().AsMemory();
            }
            text.Append(span[escapes ? ++i : i]);
        }
        line = default;
        return default;
    }
}
